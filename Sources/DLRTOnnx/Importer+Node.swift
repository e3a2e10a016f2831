import COnnx
import DLRTGraph
import DLRTOperators

extension Importer {
  /// Adds a node to its graph, in its newest form or as the body of its function.
  func add(_ source: SourceNode, _ scope: Scope) throws {
    try source.located {
      try countNode()
      let version = scope.frame.opsets[source.op.domain]
      let function = functions[FunctionKey(op: source.op, overload: source.overload)]
      // What passes make is trusted; no file may have it.
      let kind = source.op.domain == OperatorName.internalDomain ? nil : registry[source.op]
      if let kind, let version, kind.schema.versions.first ?? 1 <= version || function == nil {
        guard let oldest = kind.schema.versions.first, oldest <= version else {
          return report(
            source.op, version: version, node: source.label, "version \(version) of the operator is not implemented")
        }
        try add(source, as: kind, version: version, scope)
      } else if let function {
        try expand(function, source, scope)
      } else {
        guard let version else {
          throw DLRTError(.invalidModel, "the model imports no operator set for domain '\(source.op.domain)'")
        }
        report(source.op, version: version, node: source.label, "operator is not implemented")
      }
    }
  }

  private func add(_ source: SourceNode, as kind: OperatorKind, version: Int, _ scope: Scope) throws {
    let builder = scope.builder
    var node = Node(
      source.op, name: scope.full(source.name), inputs: try inputs(of: source, scope),
      outputs: try outputs(of: source, scope))
    var read = try attributes(of: source, scope)
    if read.hasBodies {
      // What a body captures stands behind all inputs that the operator may have.
      let places = kind.schema.inputs.count { !$0.isVariadic }
      node.inputs += [ValueID?](repeating: nil, count: max(0, places - node.inputs.count))
    }
    node.captureCount = read.shareCaptures(with: &node.inputs, builder.graph)
    node.attributes = read.values
    try kind.modernize(&node, version: version, in: &builder.graph)
    guard let newest = registry[node.op] else {
      throw DLRTError(.internalError, "the operator's new form is missing", got: node.op.description)
    }
    newest.schema.completeOutputs(of: &node, in: &builder.graph)
    builder.graph.addNode(node)
  }

  /// The values of a node's inputs; those left out at the end are not there.
  func inputs(of source: SourceNode, _ scope: Scope) throws -> [ValueID?] {
    var result: [ValueID?] = []
    for name in source.inputs {
      guard !name.isEmpty else {
        result.append(nil)
        continue
      }
      guard let found = scope.resolve(name) else {
        throw DLRTError(.invalidModel, "an input that nothing defines", tensor: name)
      }
      result.append(found)
    }
    while case .some(.none) = result.last { result.removeLast() }
    return result
  }

  func outputs(of source: SourceNode, _ scope: Scope) throws -> [ValueID?] {
    var result = source.outputs.map { name in name.isEmpty ? nil : scope.resolve(name) ?? nil }
    while case .some(.none) = result.last { result.removeLast() }
    return result
  }

  /// The tensor of a Constant node, in any of its forms.
  func constant(_ source: SourceNode, _ scope: Scope) throws -> Tensor {
    let attributes = try attributes(of: source, scope).values
    guard attributes.count == 1, let (name, value) = attributes.first else {
      throw DLRTError(.invalidModel, "wrong number of attributes", expected: "1", got: "\(attributes.count)")
    }
    switch (name, value) {
    case ("value", .tensor(let tensor)), ("sparse_value", .tensor(let tensor)): return tensor
    case ("value_float", .float(let value)): return try Tensor(scalar: value)
    case ("value_floats", .floats(let values)): return try Tensor(values, shape: [values.count])
    case ("value_int", .int(let value)): return try Tensor(int64: [value], shape: [])
    case ("value_ints", .ints(let values)): return try Tensor(int64: values)
    case ("value_string", .string(let value)): return try Tensor([value], shape: [])
    case ("value_strings", .strings(let values)): return try Tensor(values, shape: [values.count])
    // A list without elements has no kind in some files.
    case ("value_floats", _) where value.isEmptyList: return try Tensor([Float](), shape: [0])
    case ("value_ints", _) where value.isEmptyList: return try Tensor(int64: [])
    default: throw DLRTError(.invalidModel, "attribute is not a constant", tensor: name, got: value.kind)
    }
  }
}

extension Attribute {
  fileprivate var isEmptyList: Bool {
    switch self {
    case .ints(let values): values.isEmpty
    case .floats(let values): values.isEmpty
    case .strings(let values): values.isEmpty
    default: false
    }
  }
}
