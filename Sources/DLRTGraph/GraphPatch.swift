/// A change to a graph, collected while the graph is read and applied at once.
///
/// A pass looks at a graph, describes what to add, what replaces what and what to remove, and the patch keeps the
/// invariants: readers of a replaced value read its replacement, and graph outputs keep their names.
package struct GraphPatch {
  private var newValues: [Graph.Value] = []
  private var newNodes: [Node] = []
  private var replacements: [ValueID: ValueID] = [:]
  private var removed: Set<NodeID> = []
  private var updated: [NodeID: Node] = [:]
  private let firstValue: Int

  package init(_ graph: Graph) { firstValue = graph.values.count }

  package var isEmpty: Bool {
    newNodes.isEmpty && replacements.isEmpty && removed.isEmpty && updated.isEmpty
  }

  /// Nodes that are removed or become another.
  package var changedNodes: [NodeID] { Array(removed) + updated.keys }

  package mutating func value(_ value: Graph.Value) -> ValueID {
    newValues.append(value)
    return ValueID(firstValue + newValues.count - 1)
  }

  package mutating func constant(_ tensor: Tensor, name: String = "") -> ValueID {
    value(Graph.Value(name: name, type: .tensor(tensor.type), shape: Shape(tensor.shape), constant: tensor))
  }

  /// Adds a node with one output of the given type, and returns that output.
  package mutating func node(
    _ op: OperatorName, name: String = "", attributes: [String: Attribute] = [:], inputs: [ValueID?],
    output: Graph.Value
  ) -> ValueID {
    let result = value(output)
    newNodes.append(Node(op, name: name, attributes: attributes, inputs: inputs, outputs: [result]))
    return result
  }

  package mutating func add(_ node: Node) { newNodes.append(node) }

  /// Puts another node in the place of one, with outputs of its own choice.
  package mutating func update(_ id: NodeID, _ node: Node) { updated[id] = node }

  package mutating func replace(_ old: ValueID, with new: ValueID) { replacements[old] = new }

  package mutating func remove(_ id: NodeID) { removed.insert(id) }

  private func resolve(_ id: ValueID) -> ValueID {
    var current = id
    while let next = replacements[current], next != current { current = next }
    return current
  }

  /// Applies the change, sorts the graph and removes what became dead.
  package consuming func apply(to graph: inout Graph) throws(DLRTError) {
    for value in newValues { graph.addValue(value) }
    for id in removed { graph.removeNode(id) }
    for (id, node) in updated { graph[id] = node }
    for node in newNodes { graph.addNode(node) }
    if !replacements.isEmpty {
      var resolved = ValueTable<ValueID>(graph)
      for old in replacements.keys { resolved[old] = resolve(old) }
      graph.replaceInputs { resolved[$0] }
      graph.outputs = graph.outputs.map { resolved[$0] ?? $0 }
    }
    try graph.sort()
    graph.removeDeadNodes()
  }
}
