import COnnx
import DLRTGraph
import DLRTOperators

/// A node as the file has it, with its names read.
final class SourceNode {
  let view: COnnxNode
  let op: OperatorName
  let overload: String
  let name: String
  let inputs: [String]
  let outputs: [String]

  init(_ view: COnnxNode) throws(DLRTError) {
    self.view = view
    let type = try view.op_type.name(of: "an operator")
    op = OperatorName(type, domain: try view.domain.name(of: "a domain"))
    overload = try view.overload.name(of: "an overload")
    name = try view.name.name(of: "a node")
    var names: [String] = []
    for text in view.inputs.all { names.append(try text.name(of: "an input of '\(type)'")) }
    inputs = names
    names = []
    for text in view.outputs.all { names.append(try text.name(of: "an output of '\(type)'")) }
    outputs = names
  }

  /// A constant is a value, not a node, in the graph.
  var isConstant: Bool { op == OperatorName("Constant") }

  /// What the names that the node brings into a graph take.
  var nameBytes: Int { outputs.reduce(name.utf8.count) { $0 + $1.utf8.count } }

  /// What messages call the node.
  var label: String { name.isEmpty ? outputs.first { !$0.isEmpty } ?? "" : name }

  func located<R>(_ body: () throws -> R) throws -> R {
    do {
      return try body()
    } catch let error as DLRTError {
      throw error.located(node: label, operatorName: op.description)
    }
  }
}

extension Importer {
  /// Makes a graph and, where `outer` is given, finds what it captures.
  func build(_ source: COnnxGraph, frame: Frame, outer: Scope?) throws -> GraphBuilder {
    let builder = GraphBuilder(name: try source.name.name(of: "a graph"))
    let scope = try Scope(builder, frame: frame, outer: outer, depth: (outer?.depth ?? 0) + 1)
    let (constants, steps) = (source.inputs.count + source.initializers.count, source.nodes.count)
    scope.reserve(constants + steps)
    builder.graph.reserve(values: constants + steps, nodes: steps)
    try defineInputs(source, scope, isMain: outer == nil)
    let nodes = try source.nodes.all.map { try SourceNode($0) }
    try defineOutputs(of: nodes, scope)
    try noteTypes(source.values, scope)
    for node in nodes where !node.isConstant { try add(node, scope) }
    for output in source.outputs.all {
      let name = try output.name.name(of: "an output")
      guard let found = scope.resolve(name), let id = found else {
        throw DLRTError(.invalidModel, "the graph's output is not defined", tensor: name)
      }
      builder.graph.outputs.append(id)
    }
    try noteTypes(source.outputs, scope)
    try builder.graph.sort()
    return builder
  }

  private func defineInputs(_ source: COnnxGraph, _ scope: Scope, isMain: Bool) throws {
    var data: [(name: String, tensor: Tensor)] = []
    for tensor in source.initializers.all {
      let name = try tensor.name.name(of: "an initializer")
      data.append((name, try decoder.decode(tensor, name: name)))
    }
    for tensor in source.sparse_initializers.all {
      let name = try tensor.values.first?.name.name(of: "a sparse initializer") ?? ""
      data.append((name, try decoder.decode(tensor, name: name)))
    }
    try charge(data.reduce(0) { $0 + ($1.tensor.isOwned ? $1.tensor.byteCount : 0) }, scope)
    var defaults: [String: Tensor] = Dictionary(minimumCapacity: data.count)
    for entry in data {
      guard !entry.name.isEmpty, defaults.updateValue(entry.tensor, forKey: entry.name) == nil else {
        throw DLRTError(.invalidModel, "an initializer has no name of its own", tensor: entry.name)
      }
    }
    let builder = scope.builder
    for input in source.inputs.all {
      let name = try input.name.name(of: "an input")
      guard !name.isEmpty else { throw DLRTError(.invalidModel, "an input has no name") }
      let declared = try input.type.first.map { try DeclaredType($0, name: name) }
      let fallback = defaults[name]
      if let fallback, let type = declared?.type, type != .tensor(fallback.type) {
        throw DLRTError(
          .invalidModel, "an initializer is not of its input's type", tensor: name, expected: "\(type)",
          got: "\(fallback.type)")
      }
      // Up to version 3 of the format every initializer was listed as an input.
      if fallback != nil, !isMain || self.source.ir_version < 4 { continue }
      let id = builder.graph.addValue(
        Graph.Value(name: scope.full(name), type: declared?.type, shape: declared?.shape))
      try scope.define(name, id, what: "an input")
      builder.graph.inputs.append(id)
      if let fallback {
        builder.graph.defaults[id] = fallback
        if declared?.type == nil { builder.graph[id].type = .tensor(fallback.type) }
      }
    }
    for entry in data where !scope.owns(entry.name) {
      try scope.define(
        entry.name, builder.graph.addConstant(entry.tensor, name: scope.full(entry.name)), what: "an initializer")
    }
  }

  /// Gives every output of every node its value, so that nodes may stand in any order.
  func defineOutputs(of nodes: [SourceNode], _ scope: Scope, existing: [String: ValueID] = [:]) throws {
    let builder = scope.builder
    let prefix = scope.frame.prefix.utf8.count
    try charge(nodes.reduce(0) { $0 + $1.nameBytes + ($1.outputs.count + 1) * prefix }, scope)
    for node in nodes {
      try node.located {
        for name in node.outputs where !name.isEmpty {
          let id = existing[name] ?? builder.graph.addValue(Graph.Value(name: scope.full(name)))
          try scope.define(name, id, what: "an output")
        }
        guard node.isConstant else { return }
        try countNode()
        let tensor = try constant(node, scope)
        guard let name = node.outputs.first, let found = scope.resolve(name), let id = found else { return }
        builder.graph[id].constant = tensor
        builder.graph[id].type = .tensor(tensor.type)
        builder.graph[id].shape = Shape(tensor.shape)
      }
    }
  }

  /// Keeps what the file says of values that have no type yet.
  private func noteTypes(_ list: COnnxValueInfoList, _ scope: Scope) throws {
    for entry in list.all {
      let name = try entry.name.name(of: "a value")
      guard scope.owns(name), let found = scope.resolve(name), let id = found else { continue }
      guard let type = entry.type.first, scope.builder.graph[id].type == nil else { continue }
      let declared = try DeclaredType(type, name: name)
      scope.builder.graph[id].type = declared.type
      scope.builder.graph[id].shape = declared.shape
    }
  }
}
