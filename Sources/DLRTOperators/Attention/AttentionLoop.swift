import CKernelSupport
import DLRTGraph
import DLRTKernels

/// Attention for one element type: float32 by the kernel, others (and scores that somebody wants to see) by loops. Rows
/// of queries are worked on in tiles: scores of a tile, their softmax, and the mean of the values; so scratch memory
/// holds a tile's scores and never all.
struct AttentionLoop: FloatTask {
  let shape: AttentionShape
  let mask: AttentionMask
  let scale: Double
  let softcap: Float
  /// What a query that sees no key gets.
  let unseen: Float
  /// The stage of the scores to write to the fourth output.
  let stage: Attention.ScoreStage?
  let hasPast: Bool
  let hasSinks: Bool
  let wantsKeys: Bool
  let wantsValues: Bool
  /// Parts that run at once; each has its own scratch memory.
  private let parts: Int
  private let tiles: Int

  /// Rows of a tile: enough to use a block of keys often, few enough for their scores to stay in cache.
  private static let tileRows = 36
  /// nil where the loops do the work.
  private let kernel: AttentionKernel?

  init(
    shape: AttentionShape, mask: AttentionMask, scale: Double, softcap: Float, unseen: Float,
    stage: Attention.ScoreStage?, hasPast: Bool, hasSinks: Bool, wantsKeys: Bool, wantsValues: Bool,
    _ planning: Planning
  ) {
    self.shape = shape
    self.mask = mask
    self.scale = scale
    self.softcap = softcap
    self.unseen = unseen
    self.stage = stage
    self.hasPast = hasPast
    self.hasSinks = hasSinks
    self.wantsKeys = wantsKeys
    self.wantsValues = wantsValues
    tiles = shape.batch &* shape.queryHeads &* ((shape.queries &+ Self.tileRows &- 1) / Self.tileRows)
    let threads = planning.threads
    parts = max(1, min(tiles, threads == 1 || shape.flops < Self.leastFlops ? 1 : threads &* 4))
    kernel =
      planning.type(0) == .float32 && stage == nil && !hasSinks
      ? AttentionKernel(shape, mask, scale: scale, softcap: softcap, unseen: unseen, planning) : nil
  }

  /// The kernel's name for profiles.
  func name(_ planning: Planning) -> String {
    kernel == nil ? "attention-loops" : KernelLibrary.name("attention", isa: planning.kernels.isa)
  }

  /// Floating-point operations that are worth a fork.
  private static let leastFlops = 600_000

  /// Scratch elements of one part: a tile's scores, and one row of what is added to them.
  private var partCount: Int { ((Self.tileRows &+ 1) &* shape.keys &+ 15) & ~15 }
  private var scratchCount: Int { kernel?.workspaceCount ?? parts &* partCount }
  private var joinedKeyCount: Int { hasPast && !wantsKeys ? shape.batch &* shape.joinedKey.batch : 0 }
  private var joinedValueCount: Int { hasPast && !wantsValues ? shape.batch &* shape.joinedValue.batch : 0 }

  var workspaceCount: Int { scratchCount &+ joinedKeyCount &+ joinedValueCount }

  func run<T: RealElement>(_ type: T.Type) -> Step.Body {
    { io in
      try checkLengths(io)
      let scratch = io.workspace.assumingMemoryBound(to: T.self)
      let spare = scratch + scratchCount
      let keys = join(
        io, 1, past: 4, wantsKeys ? io.output(1, as: T.self) : hasPast ? spare : nil, shape.key, shape.joinedKey,
        shape.headSize)
      let values = join(
        io, 2, past: 5, wantsValues ? io.output(2, as: T.self) : hasPast ? spare + joinedKeyCount : nil, shape.value,
        shape.joinedValue, shape.valueSize)
      if let kernel, let keys = keys as? Operand<Float>, let values = values as? Operand<Float> {
        return kernel.run(
          io, .init(start: keys.start, layout: keys.layout), .init(start: values.start, layout: values.layout),
          io.workspace.assumingMemoryBound(to: Float.self))
      }
      io.parallel(parts) { part in
        for tile in ProductSplit.slice(tiles, part, of: parts) {
          runTile(io, tile, keys, values, scratch + part &* partCount)
        }
      }
    }
  }

  private func checkLengths(_ io: borrowing StepIO) throws {
    guard mask.hasLengths else { return }
    for index in 0..<shape.batch {
      let length = io.input(6, as: Int64.self)[index]
      guard length >= 0, length <= Int64(shape.keys) else {
        throw DLRTError(
          .invalidInput, "length out of range", tensor: "nonpad_kv_seqlen", expected: "0...\(shape.keys)",
          got: "\(length)")
      }
    }
  }

  private struct Operand<T> {
    let start: UnsafePointer<T>
    let layout: AttentionShape.Layout
  }

  /// Keys or values where the products read them: the input itself, or past and new positions joined in `target`.
  private func join<T: RealElement>(
    _ io: borrowing StepIO, _ input: Int, past: Int, _ target: UnsafeMutablePointer<T>?,
    _ layout: AttentionShape.Layout, _ joined: AttentionShape.Layout, _ size: Int
  ) -> Operand<T> {
    let fresh = io.input(input, as: T.self)
    guard let target else { return Operand(start: fresh, layout: layout) }
    let earlier = hasPast ? io.input(past, as: T.self) : nil
    let heads = shape.batch &* shape.keyHeads
    io.parallel(Chunks(heads, cost: Double(shape.keys &* size) * 0.3)) { range in
      for index in range {
        let batch = index / shape.keyHeads
        let head = index &- batch &* shape.keyHeads
        let place = target + joined.offset(batch, head)
        if let earlier { place.update(from: earlier + index &* shape.past &* size, count: shape.past &* size) }
        let source = fresh + layout.offset(batch, head)
        for position in 0..<shape.fresh {
          (place + (shape.past &+ position) &* size).update(from: source + position &* layout.position, count: size)
        }
      }
    }
    return Operand(start: UnsafePointer(target), layout: joined)
  }

  private func runTile<T: RealElement>(
    _ io: borrowing StepIO, _ tile: Int, _ keys: Operand<T>, _ values: Operand<T>, _ scores: UnsafeMutablePointer<T>
  ) {
    let tilesPerHead = (shape.queries &+ Self.tileRows &- 1) / Self.tileRows
    let index = tile / tilesPerHead
    let batch = index / shape.queryHeads
    let head = index &- batch &* shape.queryHeads
    let keyHead = head / shape.group
    let first = (tile &- index &* tilesPerHead) &* Self.tileRows
    let rows = min(Self.tileRows, shape.queries &- first)
    let bias = scores + Self.tileRows &* shape.keys
    let query = io.input(0, as: T.self) + (shape.query.offset(batch, head) &+ first &* shape.query.position)
    let key = keys.start + keys.layout.offset(batch, keyHead)
    let value = values.start + values.layout.offset(batch, keyHead)
    let result = io.output(0, as: T.self) + (shape.result.offset(batch, head) &+ first &* shape.result.position)
    let span = span(io, batch, first, rows)
    TileProduct.withTransposed(
      m: rows, n: span.count, k: shape.headSize, scale: T(scale), query, row: shape.query.position,
      key + span.lowerBound &* keys.layout.position, row: keys.layout.position, scores + span.lowerBound,
      row: shape.keys)
    for row in 0..<rows {
      let shown = stage.map { _ in
        io.output(3, as: T.self) + (index &* shape.queries &+ first &+ row) &* shape.keys
      }
      finishRow(io, scores + row &* shape.keys, bias, shown, batch: batch, head: head, query: first &+ row, span)
    }
    TileProduct.with(
      m: rows, n: shape.valueSize, k: span.count, scores + span.lowerBound, row: shape.keys,
      value + span.lowerBound &* values.layout.position, row: values.layout.position, result,
      row: shape.result.position)
  }

  /// The keys that at least one query of a tile may see. What lies beyond is neither computed nor read, since a cache
  /// may hold anything there.
  private func span(_ io: borrowing StepIO, _ batch: Int, _ first: Int, _ rows: Int) -> Range<Int> {
    guard !mask.isTrivial, stage == nil else { return 0..<shape.keys }
    var span = limits(io, batch, first)
    for row in 1..<max(rows, 1) {
      let next = limits(io, batch, first &+ row)
      if span.isEmpty {
        span = next
      } else if !next.isEmpty {
        span = min(span.lowerBound, next.lowerBound)..<max(span.upperBound, next.upperBound)
      }
    }
    return span
  }

  private func limits(_ io: borrowing StepIO, _ batch: Int, _ query: Int) -> Range<Int> {
    mask.limits(io, lengths: 6, batch: batch, query: query, queries: shape.queries, keys: shape.keys)
  }

  /// From products to probabilities.
  private func finishRow<T: RealElement>(
    _ io: borrowing StepIO, _ line: UnsafeMutablePointer<T>, _ bias: UnsafeMutablePointer<T>,
    _ shown: UnsafeMutablePointer<T>?, batch: Int, head: Int, query: Int, _ span: Range<Int>
  ) {
    if stage == .product { shown?.update(from: line, count: shape.keys) }
    if softcap > 0 {
      let cap = T(softcap)
      for key in span { line[key] = cap * T.tanh(line[key] / cap) }
    }
    if stage == .capped { shown?.update(from: line, count: shape.keys) }
    var seen = span
    if !mask.isTrivial {
      seen = limits(io, batch, query)
      if mask.type != nil, !seen.isEmpty {
        let seesAny = mask.fill(io, mask: 3, bias, batch: batch, head: head, query: query, seen)
        // Selecting instead of adding keeps a hidden infinity or NaN hidden.
        for key in seen { line[key] = bias[key] == -.infinity ? -.infinity : line[key] + bias[key] }
        if !seesAny { seen = span.lowerBound..<span.lowerBound }
      }
      if stage == .masked {
        Self.fill(line, -.infinity, span, except: seen)
        shown?.update(from: line, count: shape.keys)
      }
      Self.fill(line, seen.isEmpty ? T(unseen) : 0, span, except: seen)
    } else if stage == .masked {
      shown?.update(from: line, count: shape.keys)
    }
    if !seen.isEmpty {
      softmax(line + seen.lowerBound, seen.count, sink: hasSinks ? io.input(7, as: T.self)[head] : -.infinity)
    }
    if stage == .probabilities { shown?.update(from: line, count: shape.keys) }
  }

  private static func fill<T: RealElement>(
    _ line: UnsafeMutablePointer<T>, _ value: T, _ span: Range<Int>, except seen: Range<Int>
  ) {
    guard !seen.isEmpty else { return (line + span.lowerBound).update(repeating: value, count: span.count) }
    (line + span.lowerBound).update(repeating: value, count: seen.lowerBound &- span.lowerBound)
    (line + seen.upperBound).update(repeating: value, count: span.upperBound &- seen.upperBound)
  }

  private func softmax<T: RealElement>(_ line: UnsafeMutablePointer<T>, _ count: Int, sink: T) {
    var largest = line[0]
    for key in 1..<max(count, 1) where !(line[key] <= largest) { largest = line[key] }
    if sink > largest { largest = sink }
    // Scores that are all minus infinity have no probabilities.
    guard largest != -.infinity else { return line.update(repeating: T(unseen), count: count) }
    var sum = T.exp(sink - largest)
    for key in 0..<count {
      line[key] = T.exp(line[key] - largest)
      sum += line[key]
    }
    let factor = 1 / sum
    for key in 0..<count { line[key] *= factor }
  }
}
