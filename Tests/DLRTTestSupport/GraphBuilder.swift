import DLRT
import DLRTFiles
import DLRTGraph
import DLRTOnnx
import DLRTOperators

/// Builds small models in code.
package struct GraphBuilder {
  package private(set) var graph: Graph
  /// The model's metadata entries.
  package var properties: [String: String] = [:]

  package init(_ name: String = "test") { graph = Graph(name: name) }

  package mutating func input(_ name: String, _ type: DataType = .float32, _ shape: Shape?) -> ValueID {
    input(name, .tensor(type), shape)
  }

  package mutating func input(_ name: String, _ type: ValueType, _ shape: Shape? = nil) -> ValueID {
    let id = graph.addValue(Graph.Value(name: name, type: type, shape: shape))
    graph.inputs.append(id)
    return id
  }

  /// An input that may be left out.
  package mutating func inputWithDefault(_ name: String, _ value: Tensor) -> ValueID {
    let id = input(name, value.type, Shape(value.shape))
    graph.defaults[id] = value
    return id
  }

  package mutating func constant(_ tensor: Tensor, name: String = "") -> ValueID {
    graph.addConstant(tensor, name: name)
  }

  package mutating func node(
    _ op: String, domain: String = "", _ inputs: [ValueID?], _ attributes: [String: Attribute] = [:],
    captures: Int = 0, name: String = ""
  ) -> ValueID {
    nodes(op, domain: domain, inputs, attributes, outputs: 1, captures: captures, name: name)[0]
  }

  package mutating func nodes(
    _ op: String, domain: String = "", _ inputs: [ValueID?], _ attributes: [String: Attribute] = [:], outputs: Int,
    captures: Int = 0, name: String = ""
  ) -> [ValueID] {
    let results = (0..<outputs).map { _ in
      graph.addValue(Graph.Value(name: "v\(graph.values.count)"))
    }
    graph.addNode(
      Node(
        OperatorName(op, domain: domain), name: name.isEmpty ? "\(op)_\(graph.order.count)" : name,
        attributes: attributes, inputs: inputs, outputs: results, captureCount: captures))
    return results
  }

  /// Adds a node in the form of some version, as reading a file does.
  package mutating func imported(
    _ op: String, domain: String = "", version: Int, _ inputs: [ValueID?], _ attributes: [String: Attribute] = [:],
    outputs: Int = 1
  ) throws -> [ValueID] {
    let name = OperatorName(op, domain: domain)
    let results = (0..<outputs).map { _ in graph.addValue(Graph.Value(name: "v\(graph.values.count)")) }
    var node = Node(name, name: op, attributes: attributes, inputs: inputs, outputs: results)
    try OperatorRegistry.standard[name]?.modernize(&node, version: version, in: &graph)
    graph.addNode(node)
    return results
  }

  package mutating func output(_ ids: ValueID...) { graph.outputs += ids }

  package func model(optimizes: Bool = true, operators: CustomOperators = CustomOperators()) throws -> Model {
    try Model(source(), options: Model.Options(optimizes: optimizes, operators: operators), verifies: true)
  }

  /// The model as a file of ONNX.
  package func file(operators: CustomOperators = CustomOperators()) throws -> [UInt8] {
    try source().bytes(registry: operators.registry)
  }

  private func source() -> OnnxModel {
    let inputs = graph.inputs.map { id in
      OnnxModel.Port(
        name: graph[id].name, type: graph[id].type, shape: graph[id].shape, isOptional: graph.defaults[id] != nil)
    }
    let outputs = graph.outputs.map { OnnxModel.Port(name: graph[$0].name, type: nil, shape: nil) }
    var information = OnnxModel.Information()
    information.metadata = properties
    return OnnxModel(graph: graph, inputs: inputs, outputs: outputs, information: information)
  }

  /// Runs the graph as it is and optimised, and returns the optimised run's outputs.
  package func run(_ inputs: [Value?], options: SessionOptions = SessionOptions(threads: 1)) throws -> [Value] {
    try Session(model(), options: options).run(inputs)
  }
}

/// A folder that the project finds beside itself on its developers' machines.
package enum SharedFolder {
  /// The path of something in the shared folder, or nil where it is absent.
  package static func path(_ name: String, from file: String = #filePath) -> String? {
    let root = file.split(separator: "/").dropLast(3).joined(separator: "/")
    let path = "/\(root)/../shared/\(name)"
    return WholeFile.exists(path) ? path : nil
  }
}
