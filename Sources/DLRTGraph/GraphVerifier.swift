/// States what holds for every graph, and finds what breaks it. Tests run it after each pass.
package enum GraphVerifier {
  package static func verify(_ graph: Graph) throws(DLRTError) {
    var defined = Set(graph.inputs)
    guard defined.count == graph.inputs.count else {
      throw DLRTError(.internalError, "graph '\(graph.name)' has the same input twice")
    }
    for index in graph.values.indices where graph.values[index].constant != nil {
      defined.insert(ValueID(index))
    }
    for id in graph.order {
      guard graph.contains(id) else { throw DLRTError(.internalError, "a removed node is still in the order") }
      let node = graph[id]
      let label = graph.label(of: id)
      guard node.captureCount >= 0, node.captureCount <= node.inputs.count else {
        throw DLRTError(.internalError, "more captures than inputs", node: label, operatorName: node.op.description)
      }
      for case let input? in node.inputs {
        guard graph.values.indices.contains(input.index), defined.contains(input) else {
          throw DLRTError(
            .internalError, "reads value \(input.index) before it is made", node: label,
            operatorName: node.op.description)
        }
      }
      for case let output? in node.outputs {
        guard graph.values.indices.contains(output.index), defined.insert(output).inserted else {
          throw DLRTError(
            .internalError, "makes value \(output.index), which has a producer", node: label,
            operatorName: node.op.description)
        }
      }
      for body in node.subgraphs {
        guard body.inputs.count >= node.captureCount else {
          throw DLRTError(
            .internalError, "a subgraph lacks captured inputs", node: label, operatorName: node.op.description)
        }
        try verify(body)
      }
    }
    for output in graph.outputs where !defined.contains(output) {
      throw DLRTError(.internalError, "output '\(graph[output].name)' is never made")
    }
  }
}

extension Node {
  package var hasSubgraphs: Bool {
    attributes.values.contains { attribute in
      switch attribute {
      case .graph, .graphs: true
      default: false
      }
    }
  }

  /// The graphs among the attributes, in the order of the attributes' names.
  package var subgraphs: [Graph] {
    sortedAttributes.flatMap { entry -> [Graph] in
      switch entry.value {
      case .graph(let graph): [graph]
      case .graphs(let graphs): graphs
      default: []
      }
    }
  }
}
