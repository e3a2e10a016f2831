import DLRTGraph

/// Attention for one element type. Rows of queries are worked on in tiles: scores of a tile, their softmax, and the
/// mean of the values; so scratch memory holds a tile's scores and never all.
struct AttentionLoop: FloatTask {
  let shape: AttentionShape
  let mask: AttentionMask
  let scale: Double
  let softcap: Float
  /// The stage of the scores to write to the fourth output.
  let stage: Attention.ScoreStage?
  let hasPast: Bool
  let wantsKeys: Bool
  let wantsValues: Bool
  /// Parts that run at once; each has its own scratch memory.
  private let parts: Int
  private let tiles: Int

  private static let tileRows = 32

  init(
    shape: AttentionShape, mask: AttentionMask, scale: Double, softcap: Float, stage: Attention.ScoreStage?,
    hasPast: Bool, wantsKeys: Bool, wantsValues: Bool, threads: Int
  ) {
    self.shape = shape
    self.mask = mask
    self.scale = scale
    self.softcap = softcap
    self.stage = stage
    self.hasPast = hasPast
    self.wantsKeys = wantsKeys
    self.wantsValues = wantsValues
    tiles = shape.batch &* shape.queryHeads &* ((shape.queries &+ Self.tileRows &- 1) / Self.tileRows)
    let isSmall = shape.flops < 100_000
    parts = max(1, min(tiles, threads == 1 || isSmall ? 1 : threads &* 4))
  }

  /// Scratch elements of one part: a tile's scores, and one row of what is added to them.
  private var partCount: Int { (Self.tileRows &+ 1) &* shape.keys }
  private var joinedKeyCount: Int { hasPast && !wantsKeys ? shape.batch &* shape.joinedKey.batch : 0 }
  private var joinedValueCount: Int { hasPast && !wantsValues ? shape.batch &* shape.joinedValue.batch : 0 }

  var workspaceCount: Int { parts &* partCount &+ joinedKeyCount &+ joinedValueCount }

  func run<T: RealElement>(_ type: T.Type) -> Step.Body {
    { io in
      try checkLengths(io)
      let scratch = io.workspace.assumingMemoryBound(to: T.self)
      let spare = scratch + parts &* partCount
      let keys = join(
        io, 1, past: 4, wantsKeys ? io.output(1, as: T.self) : hasPast ? spare : nil, shape.key, shape.joinedKey,
        shape.headSize)
      let values = join(
        io, 2, past: 5, wantsValues ? io.output(2, as: T.self) : hasPast ? spare + joinedKeyCount : nil, shape.value,
        shape.joinedValue, shape.valueSize)
      io.parallel(parts) { part in
        let size = (tiles &+ parts &- 1) / parts
        let first = part &* size
        for tile in first..<max(first, min(tiles, first &+ size)) {
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

  /// Keys or values where the products read them: the input itself, or past and new positions joined in `target`.
  private func join<T: RealElement>(
    _ io: borrowing StepIO, _ input: Int, past: Int, _ target: UnsafeMutablePointer<T>?,
    _ layout: AttentionShape.Layout, _ joined: AttentionShape.Layout, _ size: Int
  ) -> (start: UnsafePointer<T>, layout: AttentionShape.Layout) {
    let fresh = io.input(input, as: T.self)
    guard let target else { return (fresh, layout) }
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
    return (UnsafePointer(target), joined)
  }

  private func runTile<T: RealElement>(
    _ io: borrowing StepIO, _ tile: Int, _ keys: (start: UnsafePointer<T>, layout: AttentionShape.Layout),
    _ values: (start: UnsafePointer<T>, layout: AttentionShape.Layout), _ scratch: UnsafeMutablePointer<T>
  ) {
    let tilesPerHead = (shape.queries &+ Self.tileRows &- 1) / Self.tileRows
    let index = tile / tilesPerHead
    let batch = index / shape.queryHeads
    let head = index &- batch &* shape.queryHeads
    let first = (tile &- index &* tilesPerHead) &* Self.tileRows
    let rows = min(Self.tileRows, shape.queries &- first)
    let scores = scratch
    let bias = scratch + Self.tileRows &* shape.keys
    let query = io.input(0, as: T.self) + (shape.query.offset(batch, head) &+ first &* shape.query.position)
    TileProduct.withTransposed(
      m: rows, n: shape.keys, k: shape.headSize, scale: T(scale), query, row: shape.query.position,
      keys.start + keys.layout.offset(batch, head / shape.group), row: keys.layout.position, scores, row: shape.keys)
    for row in 0..<rows {
      let line = scores + row &* shape.keys
      let shown = stage.map { _ in
        io.output(3, as: T.self) + (index &* shape.queries &+ first &+ row) &* shape.keys
      }
      finishRow(io, line, bias, shown, batch: batch, head: head, query: first &+ row)
    }
    let result = io.output(0, as: T.self) + (shape.result.offset(batch, head) &+ first &* shape.result.position)
    TileProduct.with(
      m: rows, n: shape.valueSize, k: shape.keys, scores, row: shape.keys,
      values.start + values.layout.offset(batch, head / shape.group), row: values.layout.position, result,
      row: shape.result.position)
  }

  /// From products to probabilities.
  private func finishRow<T: RealElement>(
    _ io: borrowing StepIO, _ line: UnsafeMutablePointer<T>, _ bias: UnsafeMutablePointer<T>,
    _ shown: UnsafeMutablePointer<T>?, batch: Int, head: Int, query: Int
  ) {
    let keys = shape.keys
    if stage == .product { shown?.update(from: line, count: keys) }
    if softcap > 0 {
      let cap = T(softcap)
      for key in 0..<keys { line[key] = cap * T.tanh(line[key] / cap) }
    }
    if stage == .capped { shown?.update(from: line, count: keys) }
    var seesAny = keys > 0
    if !mask.isTrivial {
      seesAny = mask.fill(
        io, mask: 3, lengths: 6, bias, batch: batch, head: head, query: query, queries: shape.queries, keys: keys)
      // Selecting instead of adding keeps a hidden infinity or NaN hidden.
      for key in 0..<keys { line[key] = bias[key] == -.infinity ? -.infinity : line[key] + bias[key] }
    }
    if stage == .masked { shown?.update(from: line, count: keys) }
    if seesAny {
      softmax(line, keys)
    } else {
      line.update(repeating: 0, count: keys)
    }
    if stage == .probabilities { shown?.update(from: line, count: keys) }
  }

  private func softmax<T: RealElement>(_ line: UnsafeMutablePointer<T>, _ count: Int) {
    var largest = line[0]
    for key in 1..<max(count, 1) where !(line[key] <= largest) { largest = line[key] }
    // Scores that are all minus infinity have no probabilities.
    guard largest != -.infinity else { return line.update(repeating: 0, count: count) }
    var sum: T = 0
    for key in 0..<count {
      line[key] = T.exp(line[key] - largest)
      sum += line[key]
    }
    let factor = 1 / sum
    for key in 0..<count { line[key] *= factor }
  }
}
