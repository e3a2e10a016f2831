/// Nodes and the values between them, without history: every operator is in its newest form, every value has one
/// producer, subgraphs name what they capture.
///
/// Passes change a graph only through `GraphPatch`; `GraphVerifier` states what always holds.
package struct Graph: Sendable {
  package struct Value: Sendable {
    package var name: String
    package var type: ValueType?
    /// What the model declared or inference found; advisory until a plan is made.
    package var shape: Shape?
    /// The data of an initializer or of a folded node.
    package var constant: Tensor?

    package init(name: String, type: ValueType? = nil, shape: Shape? = nil, constant: Tensor? = nil) {
      self.name = name
      self.type = type
      self.shape = shape
      self.constant = constant
    }
  }

  package var name: String
  package private(set) var values: [Value] = []
  private var nodeTable: [Node?] = []
  /// Live nodes, each after the producers of its inputs (once `sort` has run).
  package private(set) var order: [NodeID] = []
  /// Formal inputs; of a subgraph, captured values come last.
  package var inputs: [ValueID] = []
  package var outputs: [ValueID] = []
  /// Inputs that have a default in the model and may be left out by the caller.
  package var defaults: [ValueID: Tensor] = [:]

  package init(name: String = "") { self.name = name }
}

extension Graph {
  @discardableResult
  package mutating func addValue(_ value: Value) -> ValueID {
    values.append(value)
    return ValueID(values.count - 1)
  }

  package mutating func addConstant(_ tensor: Tensor, name: String = "") -> ValueID {
    addValue(
      Value(name: name, type: .tensor(tensor.type), shape: Shape(tensor.shape), constant: tensor))
  }

  @discardableResult
  package mutating func addNode(_ node: Node) -> NodeID {
    nodeTable.append(node)
    let id = NodeID(nodeTable.count - 1)
    order.append(id)
    return id
  }

  package mutating func removeNode(_ id: NodeID) {
    nodeTable[id.index] = nil
  }

  package func contains(_ id: NodeID) -> Bool {
    nodeTable.indices.contains(id.index) && nodeTable[id.index] != nil
  }

  /// A live node; the empty node for one that was removed.
  package subscript(id: NodeID) -> Node {
    get { nodeTable[id.index] ?? Node(OperatorName(""), inputs: [], outputs: []) }
    set { nodeTable[id.index] = newValue }
  }

  package subscript(id: ValueID) -> Value {
    get { values[id.index] }
    set { values[id.index] = newValue }
  }

  /// The live nodes in order.
  package var nodes: [Node] { order.compactMap { nodeTable[$0.index] } }

  /// A node's name for messages: its own, or its first output's.
  package func label(of id: NodeID) -> String {
    let node = self[id]
    if !node.name.isEmpty { return node.name }
    return node.outputs.lazy.compactMap { $0 }.first.map { self[$0].name } ?? ""
  }

  package func constant(_ id: ValueID?) -> Tensor? { id.flatMap { self[$0].constant } }
}

extension Graph {
  /// The node that makes each value.
  package func producers() -> [ValueID: NodeID] {
    var result: [ValueID: NodeID] = [:]
    for id in order where contains(id) {
      for case let output? in self[id].outputs { result[output] = id }
    }
    return result
  }

  /// The nodes that read each value, in order; a node that reads a value twice is there twice.
  package func consumers() -> [ValueID: [NodeID]] {
    var result: [ValueID: [NodeID]] = [:]
    for id in order where contains(id) {
      for case let input? in self[id].inputs { result[input, default: []].append(id) }
    }
    return result
  }

  /// Puts every node after the producers of its inputs, keeping the present order where it can.
  ///
  /// - Throws: `invalidModel` when nodes form a cycle.
  package mutating func sort() throws(DLRTError) {
    let live = order.filter(contains)
    let producers = producers()
    var waiting: [NodeID: Int] = [:]
    var dependents: [NodeID: [NodeID]] = [:]
    var isSorted = true
    var seen: Set<NodeID> = []
    for id in live {
      var needed: Set<NodeID> = []
      for case let input? in self[id].inputs {
        guard let producer = producers[input] else { continue }
        if needed.insert(producer).inserted {
          dependents[producer, default: []].append(id)
          if !seen.contains(producer) { isSorted = false }
        }
      }
      waiting[id] = needed.count
      seen.insert(id)
    }
    if isSorted {
      order = live
      return
    }
    var sorted: [NodeID] = []
    sorted.reserveCapacity(live.count)
    var ready = live.filter { waiting[$0] == 0 }
    var next = 0
    while next < ready.count {
      let id = ready[next]
      next += 1
      sorted.append(id)
      for dependent in dependents[id] ?? [] {
        let left = (waiting[dependent] ?? 1) - 1
        waiting[dependent] = left
        if left == 0 { ready.append(dependent) }
      }
    }
    guard sorted.count == live.count else {
      let stuck = live.first { (waiting[$0] ?? 0) > 0 }
      throw DLRTError(.invalidModel, "nodes form a cycle", node: stuck.map(label(of:)))
    }
    order = sorted
  }

  /// Removes nodes whose outputs nobody needs.
  package mutating func removeDeadNodes() {
    var needed = Set(outputs)
    for id in order.reversed() where contains(id) {
      let node = self[id]
      if node.outputs.contains(where: { $0.map(needed.contains) ?? false }) {
        for case let input? in node.inputs { needed.insert(input) }
      } else {
        nodeTable[id.index] = nil
      }
    }
    order.removeAll { nodeTable[$0.index] == nil }
    // Data that no live node reads would otherwise stay in memory with the graph.
    for index in values.indices where values[index].constant != nil && !needed.contains(ValueID(index)) {
      values[index].constant = nil
    }
  }
}
