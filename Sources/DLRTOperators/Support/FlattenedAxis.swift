import DLRTGraph

/// The softmax family before version 13 worked on a matrix: all axes before `axis` are rows, the others columns.
/// The newest form works along one axis, so the node becomes the last of Flatten → itself → Reshape.
enum FlattenedAxis {
  static let lastVersion = 12

  static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard version <= lastVersion else { return }
    let axis = node.int("axis", 1)
    node.attributes["axis"] = .int(-1)
    // The last axis is the same in both forms.
    if axis == -1 { return }
    let input = node.input(0)
    let type = input.flatMap { graph[$0].type }
    let shape = graph.addValue(Graph.Value(name: "", type: .tensor(.int64)))
    let matrix = graph.addValue(Graph.Value(name: "", type: type))
    let result = graph.addValue(Graph.Value(name: "", type: type))
    graph.addNode(Node(OperatorName("Shape"), inputs: [input], outputs: [shape]))
    graph.addNode(
      Node(OperatorName("Flatten"), attributes: ["axis": .int(axis)], inputs: [input], outputs: [matrix]))
    graph.addNode(
      Node(node.op, name: node.name, attributes: node.attributes, inputs: [matrix], outputs: [result]))
    node = Node(
      OperatorName("Reshape"), name: node.name, attributes: ["allowzero": .int(1)], inputs: [result, shape],
      outputs: node.outputs)
  }
}
