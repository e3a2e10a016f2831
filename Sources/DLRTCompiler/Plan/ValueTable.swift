import DLRTGraph

/// Something about some of a graph's values: planning looks values up too often to hash them.
struct ValueTable<Entry> {
  private var entries: [Entry?]

  init(_ graph: Graph) { entries = Array(repeating: nil, count: graph.values.count) }

  subscript(value: ValueID) -> Entry? {
    get { entries[value.index] }
    set { entries[value.index] = newValue }
  }

  func contains(_ value: ValueID) -> Bool { entries[value.index] != nil }
}

extension ValueTable<Void> {
  mutating func insert(_ value: ValueID) { self[value] = () }
}
