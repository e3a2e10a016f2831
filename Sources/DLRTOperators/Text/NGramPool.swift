import DLRTGraph

/// The n-grams that TfIdfVectorizer counts, as a tree whose edges are items.
struct NGramPool: Sendable {
  static let root = 0

  private struct Edge: Hashable {
    let node: Int
    let item: Int
  }

  let isText: Bool
  /// Keeps the bytes of the strings.
  private let text: Tensor
  /// Distinct items of the pool.
  private var strings: [StringRef: Int] = [:]
  private var numbers: [Int: Int] = [:]
  private var edges: [Edge: Int] = [:]
  private var columns: [Int?] = [nil]

  /// - Parameters:
  ///   - starts: where in the pool the 1-grams begin, the 2-grams, and so on.
  ///   - lengths: the n-grams that are counted.
  ///   - columns: the output's place for each n-gram of the pool in turn.
  init(numbers pool: [Int], strings words: [String], starts: [Int], lengths: ClosedRange<Int>, columns places: [Int])
    throws
  {
    isText = !words.isEmpty
    text = try Tensor(words, shape: [words.count])
    let refs = text.elements(StringRef.self)
    let total = isText ? refs.count : pool.count
    var gram = 0
    for (index, start) in starts.enumerated() {
      let end = index + 1 < starts.count ? starts[index + 1] : total
      let length = index + 1
      guard start >= 0, start <= end, end <= total else {
        throw DLRTError(
          .invalidModel, "not ranges of the pool", tensor: "ngram_counts", expected: "ascending, up to \(total)",
          got: "\(starts)")
      }
      for first in stride(from: start, through: end - length, by: length) {
        guard gram < places.count else {
          throw DLRTError(
            .invalidModel, "fewer places than n-grams", tensor: "ngram_indexes", expected: "more than \(gram)",
            got: "\(places.count)")
        }
        if lengths.contains(length) {
          let items = (first..<first + length).map { isText ? add(refs[$0]) : add(pool[$0]) }
          add(items, column: places[gram])
        }
        gram += 1
      }
    }
  }

  private mutating func add(_ string: StringRef) -> Int {
    let item = strings[string] ?? strings.count
    strings[string] = item
    return item
  }

  private mutating func add(_ number: Int) -> Int {
    let item = numbers[number] ?? numbers.count
    numbers[number] = item
    return item
  }

  private mutating func add(_ items: [Int], column: Int) {
    var node = Self.root
    for item in items {
      let edge = Edge(node: node, item: item)
      if let next = edges[edge] {
        node = next
      } else {
        node = columns.count
        edges[edge] = node
        columns.append(nil)
      }
    }
    columns[node] = column
  }

  /// The number of an input's element among the pool's items; -1 when it is none of them.
  func item(_ source: UnsafeRawPointer, _ type: DataType, _ index: Int) -> Int {
    switch type {
    case .string: strings[source.assumingMemoryBound(to: StringRef.self)[index]] ?? -1
    case .int32: numbers[Int(source.assumingMemoryBound(to: Int32.self)[index])] ?? -1
    default: numbers[Int(source.assumingMemoryBound(to: Int64.self)[index])] ?? -1
    }
  }

  func child(of node: Int, _ item: Int) -> Int? { edges[Edge(node: node, item: item)] }
  func column(of node: Int) -> Int? { columns[node] }
}
