/// Something about some of a graph's values: passes and planning look values up too often to hash them.
package struct ValueTable<Entry> {
  @usableFromInline var entries: [Entry?]

  // Inlined, since what is generic is slow where the compiler has not made it for one type.
  @inlinable @inline(__always) package init(_ graph: Graph) {
    entries = Array(repeating: nil, count: graph.values.count)
  }

  /// nil for values that are newer than the table.
  @inlinable package subscript(value: ValueID) -> Entry? {
    @inline(__always) get { value.index < entries.count ? entries[value.index] : nil }
    @inline(__always) set { entries[value.index] = newValue }
  }
}

extension ValueTable: Sendable where Entry: Sendable {}

/// Some of a graph's values.
package struct ValueSet: Sendable {
  private var members: [Bool]

  package init(_ graph: Graph) { members = Array(repeating: false, count: graph.values.count) }

  /// False for values that are newer than the set.
  package func contains(_ value: ValueID) -> Bool { value.index < members.count && members[value.index] }

  package mutating func insert(_ value: ValueID) { members[value.index] = true }
}

/// The nodes that read each value.
package struct ReaderTable: Sendable {
  /// The readers of value `i` are `nodes[starts[i]..<starts[i + 1]]`.
  private var starts: [Int]
  private var nodes: [NodeID]

  init(_ graph: Graph) {
    let count = graph.values.count
    var starts = [Int](repeating: 0, count: count + 1)
    graph.forEachInput { _, value in starts[value.index + 1] += 1 }
    for index in 0..<count { starts[index + 1] += starts[index] }
    var nodes = [NodeID](repeating: NodeID(0), count: starts[count])
    var next = starts
    graph.forEachInput { id, value in
      nodes[next[value.index]] = id
      next[value.index] += 1
    }
    self.starts = starts
    self.nodes = nodes
  }

  /// In order; a node that reads a value twice is there twice.
  package subscript(value: ValueID) -> ArraySlice<NodeID> {
    guard value.index + 1 < starts.count else { return [] }
    return nodes[starts[value.index]..<starts[value.index + 1]]
  }
}
