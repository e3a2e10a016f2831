import DLRTGraph

/// The sizes of one attention, and where its heads are in memory.
struct AttentionShape: Sendable {
  /// Distances, in elements, of batches, heads and positions of an operand whose vectors are adjacent elements.
  struct Layout: Sendable {
    /// Where the operand begins.
    let start: Int
    let batch: Int
    let head: Int
    let position: Int

    /// [batch, heads, positions, size], or [batch, positions, heads · size].
    init(heads: Int, positions: Int, size: Int, isPacked: Bool) {
      start = 0
      batch = heads &* positions &* size
      head = isPacked ? size : positions &* size
      position = isPacked ? heads &* size : size
    }

    /// An operand of those axes in memory of its own, or where a view has it.
    init(_ operand: Planning.Operand, heads: Int, positions: Int, size: Int, isPacked: Bool) {
      let plain = Layout(heads: heads, positions: positions, size: size, isPacked: isPacked)
      start = operand.view?.offset ?? 0
      batch = operand.view?.strides[0] ?? plain.batch
      head = isPacked ? size : operand.view?.strides[1] ?? plain.head
      position = operand.view?.strides[isPacked ? 1 : 2] ?? plain.position
    }

    func offset(_ batch: Int, _ head: Int) -> Int { start &+ batch &* self.batch &+ head &* self.head }
  }

  let batch: Int
  let queryHeads: Int
  let keyHeads: Int
  let queries: Int
  /// Positions before the new ones, from a cache.
  let past: Int
  /// New positions.
  let fresh: Int
  let headSize: Int
  let valueSize: Int
  let query: Layout
  let key: Layout
  let value: Layout
  let result: Layout

  /// Past and new positions.
  var keys: Int { past &+ fresh }
  /// Where all keys and values are once past and new ones are joined.
  var joinedKey: Layout { Layout(heads: keyHeads, positions: keys, size: headSize, isPacked: false) }
  var joinedValue: Layout { Layout(heads: keyHeads, positions: keys, size: valueSize, isPacked: false) }
  /// Query heads that share a key head.
  var group: Int { queryHeads / max(keyHeads, 1) }
  var flops: Int { 2 &* batch &* queryHeads &* queries &* keys &* (headSize &+ valueSize) }

  /// - Parameters:
  ///   - past: positions before those of the inputs.
  ///   - heads: for packed operands, which have three axes, the numbers of query and key heads.
  init(_ planning: Planning, past: Int, heads: (query: Int, key: Int)?) {
    let (q, k, v) = (planning.shape(0), planning.shape(1), planning.shape(2))
    batch = q[0]
    self.past = past
    let isPacked = q.count == 3
    let packsKeys = k.count == 3
    queryHeads = isPacked ? heads?.query ?? 1 : q[1]
    keyHeads = packsKeys ? heads?.key ?? 1 : k[1]
    queries = isPacked ? q[1] : q[2]
    fresh = packsKeys ? k[1] : k[2]
    headSize = isPacked ? q[2] / max(queryHeads, 1) : q[3]
    valueSize = packsKeys ? v[2] / max(keyHeads, 1) : v[3]
    query = Layout(
      planning.input(0), heads: queryHeads, positions: queries, size: headSize, isPacked: isPacked)
    key = Layout(
      planning.input(1), heads: keyHeads, positions: fresh, size: headSize, isPacked: packsKeys)
    value = Layout(
      planning.input(2), heads: keyHeads, positions: fresh, size: valueSize, isPacked: packsKeys)
    result = Layout(
      planning.output(0), heads: queryHeads, positions: queries, size: valueSize, isPacked: isPacked)
  }
}

/// An operand's axes as [batch, heads, positions, size], for shapes that may be symbolic.
struct AttentionDims {
  let batch: Dim
  let heads: Dim
  let positions: Dim
  let size: Dim

  /// - Parameter count: the number of heads, which packed operands [batch, positions, heads · size] need.
  init(_ inference: Inference, _ index: Int, heads count: Int?) throws {
    let shape = try inference.shape(index)
    switch (shape.rank, count) {
    case (4, _):
      batch = shape[0]
      heads = shape[1]
      positions = shape[2]
      size = shape[3]
    case (3, let count?):
      guard count > 0, (shape[2].value ?? 0) % count == 0 else {
        throw DLRTError(
          .invalidModel, "heads do not divide the operand", tensor: inference.name(index),
          expected: "a multiple of \(count) heads", got: "\(shape)")
      }
      batch = shape[0]
      heads = .known(count)
      positions = shape[1]
      size = shape[2] / .known(count)
    case (3, nil):
      throw DLRTError(
        .invalidModel, "rank 3 needs numbers of heads", tensor: inference.name(index),
        expected: "attributes q_num_heads and kv_num_heads")
    default:
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: inference.name(index), expected: "rank 3 or 4", got: "\(shape)")
    }
  }
}

extension Inference {
  /// Refuses dimensions that surely differ.
  func requireEqual(_ a: Dim, _ b: Dim, _ what: String, of index: Int) throws(DLRTError) {
    guard a.provablyDiffers(b) else { return }
    throw DLRTError(.invalidModel, "\(what) differs", tensor: name(index), expected: "\(b)", got: "\(a)")
  }
}
