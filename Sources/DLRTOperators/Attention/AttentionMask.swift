import DLRTGraph

/// What keeps queries from keys: an explicit mask, causality, a window, and the number of valid keys.
struct AttentionMask: Sendable {
  let isCausal: Bool
  /// Positions that a query sees to its left and right; nil where unbounded.
  let left: Int?
  let right: Int?
  /// The explicit mask's element type; nil without one.
  let type: DataType?
  private let start: Int
  private let batchStride: Int
  private let headStride: Int
  private let rowStride: Int
  /// The explicit mask's columns; keys beyond are not seen.
  private let columns: Int
  let hasLengths: Bool
  /// Queries of a sample with fewer keys are padded behind, not before.
  private let padsBehind: Bool
  private let past: Int

  /// True when every query sees every key and nothing is added to scores.
  var isTrivial: Bool { !isCausal && left == nil && right == nil && type == nil && !hasLengths }

  /// - Parameters:
  ///   - operand: the explicit mask, aligned to [batch, heads, queries, keys] at the right.
  init(
    isCausal: Bool, left: Int?, right: Int?, type: DataType?, operand: Planning.Operand?, hasLengths: Bool,
    padsBehind: Bool, past: Int
  ) {
    self.isCausal = isCausal
    self.left = left
    self.right = right
    self.type = type
    self.hasLengths = hasLengths
    self.padsBehind = padsBehind
    self.past = past
    let shape = operand?.shape ?? []
    let missing = max(0, 4 - shape.count)
    let full = Array(repeating: 1, count: missing) + shape
    let view = operand?.view ?? StridedView(whole: shape)
    let strides = Array(repeating: 0, count: missing) + view.strides
    start = view.offset
    func stride(_ axis: Int) -> Int { full[axis] == 1 ? 0 : strides[axis] }
    batchStride = stride(0)
    headStride = stride(1)
    rowStride = stride(2)
    columns = full[3]
  }

  /// The position of query 0 among the keys.
  private func position(_ io: borrowing StepIO, _ lengths: Int, _ batch: Int, queries: Int) -> Int {
    guard hasLengths, past == 0 else { return past }
    let start = Int(io.input(lengths, as: Int64.self)[batch]) &- queries
    return padsBehind ? max(start, 0) : start
  }

  /// The keys that a query may see whatever the explicit mask says.
  func limits(
    _ io: borrowing StepIO, lengths: Int, batch: Int, query: Int, queries: Int, keys: Int
  ) -> Range<Int> {
    var first = 0
    var end = keys
    if isCausal || left != nil || right != nil {
      let position = position(io, lengths, batch, queries: queries) &+ query
      if isCausal { end = min(end, position &+ 1) }
      if let right { end = min(end, position &+ right &+ 1) }
      if let left { first = max(first, position &- left) }
    }
    if hasLengths { end = min(end, Int(io.input(lengths, as: Int64.self)[batch])) }
    if type != nil { end = min(end, columns) }
    end = max(end, 0)
    first = min(max(first, 0), end)
    return first..<end
  }

  /// What the kernel cannot take as it is: a window's left side, or a mask of other elements than float32.
  var mustBeFilled: Bool { left != nil || (type != nil && type != .float32) }

  /// The keys that are there for all queries of a sequence; and, if a query sees only a part of them, the offset of
  /// the last key that it sees from its own index.
  func reach(
    _ io: borrowing StepIO, lengths: Int, batch: Int, queries: Int, keys: Int
  ) -> (keys: Int, causalOffset: Int?) {
    var end = keys
    if hasLengths { end = min(end, Int(io.input(lengths, as: Int64.self)[batch])) }
    if type != nil { end = min(end, columns) }
    guard isCausal || right != nil else { return (end, nil) }
    let first = position(io, lengths, batch, queries: queries)
    return (end, first &+ (isCausal ? 0 : right ?? 0))
  }

  /// The explicit mask of one head, if there is one.
  ///
  /// - Parameter perHead: its rows are heads and not queries.
  func direct(
    _ io: borrowing StepIO, mask: Int, batch: Int, head: Int, perHead: Bool
  ) -> (start: UnsafePointer<Float>, rowStride: Int)? {
    guard type == .float32 else { return nil }
    let start = io.input(mask, as: Float.self) + (start &+ batch &* batchStride &+ head &* headStride)
    return (start, perHead ? headStride : rowStride)
  }

  /// Writes what is added to the scores of one query with the first `columns` keys: minus infinity for those that it
  /// does not see.
  func fill(
    _ io: borrowing StepIO, mask: Int, lengths: Int, _ bias: UnsafeMutablePointer<Float>, batch: Int, head: Int,
    query: Int, queries: Int, keys: Int, columns: Int
  ) {
    let seen = limits(io, lengths: lengths, batch: batch, query: query, queries: queries, keys: keys)
      .clamped(to: 0..<columns)
    bias.update(repeating: -.infinity, count: seen.lowerBound)
    (bias + seen.upperBound).update(repeating: -.infinity, count: columns &- seen.upperBound)
    if type == nil {
      (bias + seen.lowerBound).update(repeating: 0, count: seen.count)
    } else {
      _ = fill(io, mask: mask, bias, batch: batch, head: head, query: query, seen)
    }
  }

  /// Writes what the explicit mask adds to the scores of one query: minus infinity for keys that it does not see.
  ///
  /// - Returns: whether it sees any of the keys.
  func fill<T: RealElement>(
    _ io: borrowing StepIO, mask: Int, _ bias: UnsafeMutablePointer<T>, batch: Int, head: Int, query: Int,
    _ keys: Range<Int>
  ) -> Bool {
    guard let type else { return !keys.isEmpty }
    let first = keys.lowerBound
    let end = keys.upperBound
    let offset = start &+ batch &* batchStride &+ head &* headStride &+ query &* rowStride
    let source = io.input(mask) + offset &* type.size
    switch type {
    case .bool: Self.select(source, bias, first, end)
    case .float32: Self.copy(source.assumingMemoryBound(to: Float.self), bias, first, end)
    case .float64: Self.copy(source.assumingMemoryBound(to: Double.self), bias, first, end)
    case .int8: Self.copy(source.assumingMemoryBound(to: Int8.self), bias, first, end)
    case .int16: Self.copy(source.assumingMemoryBound(to: Int16.self), bias, first, end)
    case .int32: Self.copy(source.assumingMemoryBound(to: Int32.self), bias, first, end)
    case .int64: Self.copy(source.assumingMemoryBound(to: Int64.self), bias, first, end)
    case .uint16: Self.copy(source.assumingMemoryBound(to: UInt16.self), bias, first, end)
    case .uint32: Self.copy(source.assumingMemoryBound(to: UInt32.self), bias, first, end)
    case .uint64: Self.copy(source.assumingMemoryBound(to: UInt64.self), bias, first, end)
    default: Self.copy(source.assumingMemoryBound(to: UInt8.self), bias, first, end)
    }
    for key in first..<end where bias[key] != -.infinity { return true }
    return false
  }

  private static func select<T: RealElement>(
    _ source: UnsafeRawPointer, _ bias: UnsafeMutablePointer<T>, _ first: Int, _ end: Int
  ) {
    for key in first..<end { bias[key] = source.load(fromByteOffset: key, as: UInt8.self) == 0 ? -.infinity : 0 }
  }

  private static func copy<S: NumericElement, T: RealElement>(
    _ source: UnsafePointer<S>, _ bias: UnsafeMutablePointer<T>, _ first: Int, _ end: Int
  ) {
    for key in first..<end { bias[key] = T(nearest: source[key].double) }
  }
}
