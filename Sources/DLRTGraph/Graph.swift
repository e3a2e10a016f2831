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
  /// The empty node where one was removed.
  package private(set) var nodeTable: [Node] = []
  private var isLive: [Bool] = []
  /// By node: whether it is new, or another than when `noteSeen` was called last.
  private var isChanged: [Bool] = []
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
  /// Prepares for so many more values and nodes.
  package mutating func reserve(values valueCount: Int, nodes nodeCount: Int) {
    values.reserveCapacity(values.count + valueCount)
    nodeTable.reserveCapacity(nodeTable.count + nodeCount)
    isLive.reserveCapacity(isLive.count + nodeCount)
    isChanged.reserveCapacity(isChanged.count + nodeCount)
    order.reserveCapacity(order.count + nodeCount)
  }

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
    isLive.append(true)
    isChanged.append(true)
    let id = NodeID(nodeTable.count - 1)
    order.append(id)
    return id
  }

  package mutating func removeNode(_ id: NodeID) {
    nodeTable[id.index] = .empty
    isLive[id.index] = false
  }

  package func hasChanged(_ id: NodeID) -> Bool { isChanged[id.index] }
  package mutating func noteSeen(_ id: NodeID) { isChanged[id.index] = false }
  package mutating func forgetSeen() { isChanged = Array(repeating: true, count: nodeTable.count) }

  package func contains(_ id: NodeID) -> Bool {
    isLive.indices.contains(id.index) && isLive[id.index]
  }

  /// A live node; the empty node for one that was removed.
  package subscript(id: NodeID) -> Node {
    _read { yield nodeTable[id.index] }
    set {
      nodeTable[id.index] = newValue
      isLive[id.index] = true
      isChanged[id.index] = true
    }
  }

  package subscript(id: ValueID) -> Value {
    _read { yield values[id.index] }
    _modify { yield &values[id.index] }
  }

  /// The live nodes in order.
  package var nodes: [Node] { order.lazy.filter(contains).map { nodeTable[$0.index] } }

  /// A node's name for messages: its own, or its first output's.
  package func label(of id: NodeID) -> String {
    let node = self[id]
    if !node.name.isEmpty { return node.name }
    return node.outputs.lazy.compactMap { $0.map { self[$0].name } }.first { !$0.isEmpty } ?? ""
  }

  /// Bytes of all constants.
  package var constantBytes: Int { values.reduce(0) { $0 &+ ($1.constant?.byteCount ?? 0) } }

  package func constant(_ id: ValueID?) -> Tensor? { id.flatMap { self[$0].constant } }
}

extension Graph {
  /// The node that makes each value.
  package func producers() -> ValueTable<NodeID> {
    var result = ValueTable<NodeID>(self)
    withBodies { bodies in
      for id in order { bodies[id.index].forEachOutput { result[$0] = id } }
    }
    return result
  }

  package func readers() -> ReaderTable { ReaderTable(self) }

  /// Nodes by index, to be walked over.
  @inline(__always)
  private func withBodies(_ walk: (UnsafePointer<Unmanaged<Node.Body>>) -> Void) {
    nodeTable.withUnsafeBytes { bytes in
      // A node is its body's reference and nothing else.
      if let base = bytes.baseAddress { walk(base.assumingMemoryBound(to: Unmanaged<Node.Body>.self)) }
    }
  }

  func forEachInput(_ body: (NodeID, ValueID) -> Void) {
    withBodies { bodies in
      for id in order { bodies[id.index].forEachInput { body(id, $0) } }
    }
  }

  /// Makes nodes read other values.
  mutating func replaceInputs(_ replacement: (ValueID) -> ValueID?) {
    for id in order {
      for (index, input) in nodeTable[id.index].inputs.enumerated() {
        guard let input, let other = replacement(input) else { continue }
        nodeTable[id.index].inputs[index] = other
        isChanged[id.index] = true
      }
    }
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
      // Most are in place already.
      var isReady = true
      withBodies { bodies in
        bodies[root.index].forEachInput { value in
          if let producer = producers[value], state[producer.index] != .placed { isReady = false }
        }
      }
      if isReady {
        state[root.index] = .placed
        sorted.append(root)
        continue
      }
      path.append((root, 0))
      state[root.index] = .open
      while let (id, input) = path.last {
        let inputs = nodeTable[id.index].inputs
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
    var needed = ValueSet(self)
    for output in outputs { needed.insert(output) }
    for id in order.reversed() {
      var isNeeded = false
      withBodies { bodies in
        bodies[id.index].forEachOutput { isNeeded = isNeeded || needed.contains($0) }
        if isNeeded { bodies[id.index].forEachInput { needed.insert($0) } }
      }
      if !isNeeded { removeNode(id) }
    }
    order.removeAll { !isLive[$0.index] }
    // Data that no live node reads would otherwise stay in memory with the graph.
    for index in values.indices where values[index].constant != nil && !needed.contains(ValueID(index)) {
      values[index].constant = nil
    }
  }
}
