import DLRTGraph

extension Model {
  /// For each input, the size of the smallest table that its elements choose from, as a Gather does; nil for an input that is
  /// no such choice as far as the graph tells.
  package var indexBounds: [Int?] {
    let graph = program.graph
    var bounds = ValueTable<Int>(graph)
    func bound(_ value: ValueID?, _ size: Int?) {
      guard let value, let size else { return }
      bounds[value] = min(bounds[value] ?? size, size)
    }
    for id in graph.order.reversed() {
      let node = graph[id]
      if Self.rearranging.contains(node.op.description) {
        bound(node.input(0), node.outputs.compactMap { $0.flatMap { bounds[$0] } }.min())
      }
      bound(node.input(1), tableSize(node))
    }
    return graph.inputs.map { bounds[$0] }
  }

  /// How many slices a node has to choose from by its second input; nil for a node that does not choose.
  private func tableSize(_ node: Node) -> Int? {
    guard let name = Self.choosing[node.op.description], let shape = program.fact(node.input(0))?.shape else {
      return nil
    }
    var axis = node.int(name, 0)
    if axis < 0 { axis += shape.rank }
    return shape.dims.indices.contains(axis) ? shape[axis].value : nil
  }

  /// Operators that choose, with the attribute that says along which axis.
  private static let choosing = ["Gather": "axis", "com.microsoft::GatherBlockQuantized": "gather_axis"]

  /// Operators whose results are numbers of their first input.
  private static let rearranging: Set<String> = [
    "Cast", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose",
    "Unsqueeze",
  ]
}
