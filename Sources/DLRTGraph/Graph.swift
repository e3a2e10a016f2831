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

  /// Puts every node after the producers of its inputs, keeping the present order where it can: what is out of place
  /// moves to just before its first reader.
  ///
  /// - Throws: `invalidModel` when nodes form a cycle.
  package mutating func sort() throws(DLRTError) {
    let producers = producers()
    var sorted: [NodeID] = []
    sorted.reserveCapacity(order.count)
    var state = [Visit](repeating: .unseen, count: nodeTable.count)
    // Nodes whose producers are being placed, each with the next input to look at; a chain may be as long as the graph.
    var path: [(id: NodeID, input: Int)] = []
    for root in order where contains(root) && state[root.index] == .unseen {
      path.append((root, 0))
      state[root.index] = .open
      while let (id, input) = path.last {
        let inputs = self[id].inputs
        guard input < inputs.count else {
          state[id.index] = .placed
          sorted.append(id)
          path.removeLast()
          continue
        }
        path[path.count - 1].input += 1
        guard let value = inputs[input], let producer = producers[value] else { continue }
        switch state[producer.index] {
        case .placed: continue
        case .open: throw DLRTError(.invalidModel, "nodes form a cycle", node: label(of: producer))
        case .unseen:
          state[producer.index] = .open
          path.append((producer, 0))
        }
      }
    }
    order = sorted
  }

  private enum Visit {
    case unseen, open, placed
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
