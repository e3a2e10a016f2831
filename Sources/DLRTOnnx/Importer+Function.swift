import COnnx
import DLRTGraph

extension Importer {
  /// Puts a function's nodes in the place of a call.
  func expand(_ function: COnnxFunction, _ call: SourceNode, _ scope: Scope) throws {
    guard scope.frame.depth < Self.deepestCall else {
      throw DLRTError(.limitExceeded, "functions call each other more than \(Self.deepestCall) deep")
    }
    let formals = try function.inputs.all.map { try $0.name(of: "a function's input") }
    let results = try function.outputs.all.map { try $0.name(of: "a function's output") }
    let inputs = try inputs(of: call, scope)
    let outputs = try outputs(of: call, scope)
    guard inputs.count <= formals.count, outputs.count <= results.count else {
      throw DLRTError(
        .invalidModel, "the call does not fit the function",
        expected: "at most \(formals.count) inputs and \(results.count) outputs",
        got: "\(inputs.count) and \(outputs.count)")
    }
    let frame = Frame(
      opsets: try opsets(function.opsets), attributes: try attributes(of: call, calling: function, scope),
      prefix: scope.full(call.label), depth: scope.frame.depth + 1)
    let inner = try Scope(scope.builder, frame: frame, outer: nil, depth: scope.depth + 1)
    for (index, name) in formals.enumerated() {
      try inner.define(name, index < inputs.count ? inputs[index] : nil, what: "a function's input")
    }

    var existing: [String: ValueID] = [:]
    for case (let name, let id?) in zip(results, outputs) where existing.updateValue(id, forKey: name) != nil {
      throw DLRTError(.invalidModel, "two outputs of the function have one name", tensor: name)
    }
    let nodes = try function.nodes.all.map { try SourceNode($0) }
    try defineOutputs(of: nodes, inner, existing: existing)
    for node in nodes where !node.isConstant { try add(node, inner) }

    for case (let name, let id?) in zip(results, outputs) {
      guard let found = inner.resolve(name), let value = found else {
        throw DLRTError(.invalidModel, "the function's output is not defined", tensor: name)
      }
      // An input that is handed through.
      if value != id { scope.builder.graph.addNode(Node(OperatorName("Identity"), inputs: [value], outputs: [id])) }
    }
  }

  /// The attributes that the function's body sees: those of the call, and defaults for those left out.
  private func attributes(
    of call: SourceNode, calling function: COnnxFunction, _ scope: Scope
  ) throws -> [String: Attribute] {
    let read = try attributes(of: call, scope)
    guard !read.hasBodies else {
      throw DLRTError(.unsupportedModel, "graphs cannot be attributes of functions")
    }
    var result = read.values
    var declared = Set(try function.attributes.all.map { try $0.name(of: "a function's attribute") })
    for attribute in function.defaults.all {
      let name = try attribute.name.name(of: "a function's attribute")
      declared.insert(name)
      if result[name] == nil { result[name] = try value(attribute, name) }
    }
    for name in result.keys.sorted() where !declared.contains(name) {
      throw DLRTError(.invalidModel, "the function has no such attribute", tensor: name)
    }
    return result
  }
}
