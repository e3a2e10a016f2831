import COnnx
import DLRTGraph
import DLRTOperators

extension OnnxModel {
  /// Writes the model as an ONNX file, which appears complete or not at all. Weights go from memory to the file without
  /// a copy.
  ///
  /// - Throws: `DLRTError` with `unsupportedModel` for nodes that ONNX has no operator for, `limitExceeded` beyond
  ///   protobuf's 2 GiB, `io`.
  package func write(path: String, registry: OperatorRegistry = .standard) throws {
    try Exporter(registry).writer(self).write(path: path)
  }

  /// The bytes of such a file.
  package func bytes(registry: OperatorRegistry = .standard) throws -> [UInt8] {
    try Exporter(registry).writer(self).bytes()
  }
}

/// Makes the protobuf message of a model.
///
/// Names stay where they are unique; the operator set is the oldest that has every form in use, for the sake of other
/// readers.
struct Exporter {
  let registry: OperatorRegistry

  init(_ registry: OperatorRegistry) { self.registry = registry }

  func writer(_ model: OnnxModel) throws -> Writer {
    guard model.inputs.count == model.graph.inputs.count, model.outputs.count == model.graph.outputs.count else {
      throw DLRTError(.internalError, "the declared inputs and outputs are not the graph's")
    }
    let writer = try Writer(COnnxKindModel)
    let target = connx_writer_model(writer.pointer)
    let information = model.information
    let opsets = try OperatorSets(of: model.graph, registry)
    connx_set_versions(target, Int64(opsets.irVersion), Int64(information.modelVersion))
    information.producerName.withText { name in
      information.producerVersion.withText { connx_set_producer(target, name, $0) }
    }
    information.domain.withText { domain in
      information.description.withText { connx_set_description(target, domain, $0) }
    }
    for (domain, version) in opsets.versions.sorted(by: { $0.key < $1.key }) {
      domain.withText { connx_add_opset(target, $0, Int64(version)) }
    }
    for (key, value) in information.metadata.sorted(by: { $0.key < $1.key }) {
      key.withText { key in value.withText { connx_add_metadata(target, key, $0) } }
    }
    let name = information.graphName.isEmpty ? "graph" : information.graphName
    let graph = name.withText { name in "".withText { connx_set_graph(target, name, $0) } }
    var exporter = GraphExporter(writer, names: NameTable())
    try exporter.write(model, into: graph)
    return writer
  }
}

/// Names that are in use anywhere in a model; names in a body must differ from those around it.
final class NameTable {
  private var used: Set<String> = []
  private var next: [String: Int] = [:]

  /// Takes a name that must be kept; false when it is taken.
  func reserve(_ name: String) -> Bool { used.insert(name).inserted }

  /// A name that nobody has, as close to the wish as can be.
  func unique(_ wish: String) -> String {
    let base = wish.isEmpty ? "value" : wish
    if used.insert(base).inserted { return base }
    var number = next[base] ?? 1
    while !used.insert("\(base)_\(number)").inserted { number += 1 }
    next[base] = number + 1
    return "\(base)_\(number)"
  }
}

/// Writes one graph, and those in its nodes.
struct GraphExporter {
  private let writer: Writer
  private let names: NameTable
  private var known: [ValueID: String] = [:]

  init(_ writer: Writer, names: NameTable) {
    self.writer = writer
    self.names = names
  }

  mutating func write(_ model: OnnxModel, into target: COnnxGraphWriter) throws {
    let graph = model.graph
    for (port, id) in zip(model.inputs, graph.inputs) {
      guard names.reserve(port.name), known.updateValue(port.name, forKey: id) == nil else {
        throw DLRTError(.invalidArgument, "two inputs have one name", tensor: port.name)
      }
      write(port.type, port.shape, into: port.name.withText { connx_add_graph_input(target, $0) })
      if let tensor = graph.defaults[id] { try write(tensor, name: port.name, into: target) }
    }
    var handedOut: [(from: ValueID, name: String)] = []
    for (port, id) in zip(model.outputs, graph.outputs) {
      if known[id] == port.name {
        // An input that is an output, too.
      } else {
        guard names.reserve(port.name) else {
          throw DLRTError(.invalidArgument, "the output has the name of another value", tensor: port.name)
        }
        if known[id] == nil { known[id] = port.name } else { handedOut.append((id, port.name)) }
      }
      write(port.type, port.shape, into: port.name.withText { connx_add_graph_output(target, $0) })
    }
    try writeBody(graph, into: target)
    for (id, name) in handedOut { writeIdentity(known[id] ?? "", name, into: target) }
  }

  /// Writes a subgraph whose last inputs are the values that `captured` names.
  private mutating func write(_ graph: Graph, captured: [String], into target: COnnxGraphWriter) throws {
    let formal = graph.inputs.dropLast(captured.count)
    for (id, name) in zip(graph.inputs.suffix(captured.count), captured) { known[id] = name }
    for id in formal {
      let name = names.unique(graph[id].name)
      known[id] = name
      write(graph[id].type, graph[id].shape, into: name.withText { connx_add_graph_input(target, $0) })
    }
    // What a body hands out must be its own, each under one name.
    var handedOut: [(from: ValueID, name: String)] = []
    for id in graph.outputs {
      let name = names.unique(graph[id].name)
      if known[id] == nil { known[id] = name } else { handedOut.append((id, name)) }
      write(graph[id].type, graph[id].shape, into: name.withText { connx_add_graph_output(target, $0) })
    }
    try writeBody(graph, into: target)
    for (id, name) in handedOut { writeIdentity(known[id] ?? "", name, into: target) }
  }

  private mutating func name(of id: ValueID, in graph: Graph) -> String {
    if let name = known[id] { return name }
    let name = names.unique(graph[id].name)
    known[id] = name
    return name
  }

  private mutating func writeBody(_ graph: Graph, into target: COnnxGraphWriter) throws {
    var needed = Set(graph.outputs)
    for node in graph.nodes { for case let input? in node.inputs { needed.insert(input) } }
    for index in graph.values.indices {
      let id = ValueID(index)
      guard needed.contains(id), let tensor = graph.constant(id) else { continue }
      try write(tensor, name: name(of: id, in: graph), into: target)
    }
    let declared = Set(graph.outputs)
    for node in graph.nodes {
      try write(node, graph, into: target)
      for case let output? in node.outputs where graph[output].type != nil && !declared.contains(output) {
        let value = graph[output]
        write(
          value.type, value.shape, into: name(of: output, in: graph).withText { connx_add_value_info(target, $0) })
      }
    }
  }

  private mutating func write(_ node: Node, _ graph: Graph, into target: COnnxGraphWriter) throws {
    let made = node.op.name.withText { type in
      node.op.domain.withText { domain in node.name.withText { connx_add_node(target, type, domain, $0) } }
    }
    for input in node.ownInputs {
      (input.map { name(of: $0, in: graph) } ?? "").withText { connx_add_node_input(made, $0) }
    }
    for output in node.outputs {
      (output.map { name(of: $0, in: graph) } ?? "").withText { connx_add_node_output(made, $0) }
    }
    let captured = node.inputs.suffix(node.captureCount).map { $0.map { name(of: $0, in: graph) } ?? "" }
    for (name, value) in node.sortedAttributes {
      let attribute = name.withText { connx_add_attribute(made, $0, value.wireKind) }
      try write(value, captured: captured, into: attribute)
    }
  }

  private func writeIdentity(_ from: String, _ to: String, into target: COnnxGraphWriter) {
    let node = "Identity".withText { type in "".withText { connx_add_node(target, type, $0, $0) } }
    from.withText { connx_add_node_input(node, $0) }
    to.withText { connx_add_node_output(node, $0) }
  }

  private func write(_ tensor: Tensor, name: String, into target: COnnxGraphWriter) throws {
    try writer.set(name.withText { connx_add_initializer(target, $0) }, tensor, name: name)
  }

  private func write(_ value: Attribute, captured: [String], into target: COnnxAttributeWriter) throws {
    switch value {
    case .int(let value): connx_set_int(target, Int64(value))
    case .float(let value): connx_set_float(target, value)
    case .string(let value): value.withText { connx_set_string(target, $0) }
    case .ints(let values): for value in values { connx_add_int(target, Int64(value)) }
    case .floats(let values): for value in values { connx_add_float(target, value) }
    case .strings(let values): for value in values { value.withText { connx_add_string(target, $0) } }
    case .tensor(let tensor): try writer.set(connx_add_attribute_tensor(target), tensor, name: "")
    case .tensors(let tensors):
      for tensor in tensors { try writer.set(connx_add_attribute_tensor(target), tensor, name: "") }
    case .type(let type): write(type, nil, into: connx_add_attribute_type(target))
    case .types(let types): for type in types { write(type, nil, into: connx_add_attribute_type(target)) }
    case .graph(let graph): try write(graph, captured, into: target)
    case .graphs(let graphs): for graph in graphs { try write(graph, captured, into: target) }
    }
  }

  private func write(_ graph: Graph, _ captured: [String], into target: COnnxAttributeWriter) throws {
    let name = graph.name.isEmpty ? "body" : graph.name
    var body = GraphExporter(writer, names: names)
    try body.write(graph, captured: captured, into: name.withText { connx_add_attribute_graph(target, $0) })
  }

  private func write(_ type: ValueType?, _ shape: Shape?, into target: COnnxTypeWriter) {
    switch type {
    case .tensor(let type)?:
      connx_set_tensor_type(target, Int32(type.rawValue))
      guard let shape else { return }
      connx_set_shape(target)
      for dim in shape.dims {
        let none = COnnxText(bytes: nil, count: 0)
        switch dim {
        case .known(let value):
          connx_add_dim(target, COnnxDim(kind: COnnxDimValue, value: Int64(value), parameter: none))
        case .symbol(let symbol):
          symbol.withText { connx_add_dim(target, COnnxDim(kind: COnnxDimParameter, value: 0, parameter: $0)) }
        case .unknown: connx_add_dim(target, COnnxDim(kind: COnnxDimUnknown, value: 0, parameter: none))
        }
      }
    case .sequence(let element)?: write(element, nil, into: connx_set_sequence_type(target))
    case .optional(let content)?: write(content, nil, into: connx_set_optional_type(target))
    case .map(let key, let value)?: write(value, nil, into: connx_set_map_type(target, Int32(key.rawValue)))
    case nil: break
    }
  }
}

extension Attribute {
  fileprivate var wireKind: COnnxAttributeKind {
    switch self {
    case .int: COnnxAttributeInt
    case .float: COnnxAttributeFloat
    case .string: COnnxAttributeString
    case .tensor: COnnxAttributeTensor
    case .graph: COnnxAttributeGraph
    case .type: COnnxAttributeType
    case .ints: COnnxAttributeInts
    case .floats: COnnxAttributeFloats
    case .strings: COnnxAttributeStrings
    case .tensors: COnnxAttributeTensors
    case .graphs: COnnxAttributeGraphs
    case .types: COnnxAttributeTypes
    }
  }
}
