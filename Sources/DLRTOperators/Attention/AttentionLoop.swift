import CKernelSupport
import DLRTGraph
import DLRTKernels

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

  /// Rows of a tile: enough to use a block of keys often, few enough for their scores to stay in cache.
  private static let tileRows = 36
  /// From so many rows on it pays to pack the keys of a head.
  private static let packedRows = 8

  private let kernels: KernelSet
  /// Floats of one head's packed keys; 0 where they are read as they are.
  private let packedCount: Int

  init(
    shape: AttentionShape, mask: AttentionMask, scale: Double, softcap: Float, stage: Attention.ScoreStage?,
    hasPast: Bool, wantsKeys: Bool, wantsValues: Bool, _ planning: Planning
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
    let threads = planning.threads
    parts = max(1, min(tiles, threads == 1 || shape.flops < Self.leastFlops ? 1 : threads &* 4))
    kernels = planning.kernels
    let packs = planning.type(0) == .float32 && shape.queries >= Self.packedRows
    let floats = Int(kernels.table.pointee.packed_b_floats(Int64(shape.headSize), Int64(shape.keys)))
    packedCount = packs ? (floats &+ 15) & ~15 : 0
  }

  /// Floating-point operations that are worth waking a thread for.
  private static let leastFlops = 2_000_000

  /// Scratch elements of one part: a head's packed keys, a tile's scores, and one row of what is added to them.
  private var partCount: Int { packedCount &+ (((Self.tileRows &+ 1) &* shape.keys &+ 15) & ~15) }
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
        var packedHead = -1
        for tile in ProductSplit.slice(tiles, part, of: parts) {
          runTile(io, tile, keys, values, scratch + part &* partCount, &packedHead)
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

  /// - Parameter packedHead: the key head whose packed keys `scratch` begins with.
  private func runTile<T: RealElement>(
    _ io: borrowing StepIO, _ tile: Int, _ keys: Operand<T>, _ values: Operand<T>, _ scratch: UnsafeMutablePointer<T>,
    _ packedHead: inout Int
  ) {
    let tilesPerHead = (shape.queries &+ Self.tileRows &- 1) / Self.tileRows
    let index = tile / tilesPerHead
    let batch = index / shape.queryHeads
    let head = index &- batch &* shape.queryHeads
    let keyHead = head / shape.group
    let first = (tile &- index &* tilesPerHead) &* Self.tileRows
    let rows = min(Self.tileRows, shape.queries &- first)
    let scores = scratch + packedCount
    let bias = scores + Self.tileRows &* shape.keys
    let query = io.input(0, as: T.self) + (shape.query.offset(batch, head) &+ first &* shape.query.position)
    let key = keys.start + keys.layout.offset(batch, keyHead)
    let value = values.start + values.layout.offset(batch, keyHead)
    let result = io.output(0, as: T.self) + (shape.result.offset(batch, head) &+ first &* shape.result.position)
    if packedCount > 0, packedHead != batch &* shape.keyHeads &+ keyHead {
      packedHead = batch &* shape.keyHeads &+ keyHead
      pack(key, keys.layout.position, scratch)
    }
    let span = span(io, batch, first, rows)
    multiplyKeys(rows, query, key, keys.layout.position, packed: scratch, scores, span)
    for row in 0..<rows {
      let shown = stage.map { _ in
        io.output(3, as: T.self) + (index &* shape.queries &+ first &+ row) &* shape.keys
      }
      finishRow(io, scores + row &* shape.keys, bias, shown, batch: batch, head: head, query: first &+ row, span)
    }
    multiplyValues(
      rows, scores + span.lowerBound, value + span.lowerBound &* values.layout.position, values.layout.position, result,
      span.count)
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
      Self.fill(line, 0, span, except: seen)
    } else if stage == .masked {
      shown?.update(from: line, count: shape.keys)
    }
    if !seen.isEmpty { softmax(line + seen.lowerBound, seen.count) }
    if stage == .probabilities { shown?.update(from: line, count: shape.keys) }
  }

  private static func fill<T: RealElement>(
    _ line: UnsafeMutablePointer<T>, _ value: T, _ span: Range<Int>, except seen: Range<Int>
  ) {
    guard !seen.isEmpty else { return (line + span.lowerBound).update(repeating: value, count: span.count) }
    (line + span.lowerBound).update(repeating: value, count: seen.lowerBound &- span.lowerBound)
    (line + seen.upperBound).update(repeating: value, count: span.upperBound &- seen.upperBound)
  }

  private func softmax<T: RealElement>(_ line: UnsafeMutablePointer<T>, _ count: Int) {
    if let line = line as? UnsafeMutablePointer<Float> {
      var arguments = dlk_softmax_args()
      arguments.rows = 1
      arguments.columns = Int64(count)
      arguments.x = UnsafePointer(line)
      arguments.y = line
      return kernels.table.pointee.softmax(&arguments, 0, 1)
    }
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

// MARK: Products

extension AttentionLoop {
  private func pack<T: RealElement>(_ keys: UnsafePointer<T>, _ stride: Int, _ target: UnsafeMutablePointer<T>) {
    guard let keys = keys as? UnsafePointer<Float>, let target = target as? UnsafeMutablePointer<Float> else { return }
    var arguments = dlk_pack_b_args(
      keys, k: shape.headSize, n: shape.keys, kStride: 1, nStride: stride, packed: target)
    kernels.table.pointee.pack_b(&arguments, 0, panels(shape.keys))
  }

  private func panels(_ columns: Int) -> Int64 {
    let width = Int64(kernels.table.pointee.gemm_panel)
    return (Int64(columns) &+ width &- 1) / width
  }

  private func arguments(_ rows: Int, n: Int, k: Int) -> dlk_gemm_args {
    var arguments = dlk_gemm_args()
    arguments.m = Int64(rows)
    arguments.n = Int64(n)
    arguments.k = Int64(k)
    arguments.epilogue = .plain
    return arguments
  }

  /// Scores of some queries with a span of keys.
  private func multiplyKeys<T: RealElement>(
    _ rows: Int, _ query: UnsafePointer<T>, _ key: UnsafePointer<T>, _ stride: Int,
    packed: UnsafeMutablePointer<T>, _ scores: UnsafeMutablePointer<T>, _ span: Range<Int>
  ) {
    guard let left = query as? UnsafePointer<Float>, let right = key as? UnsafePointer<Float>,
      let result = scores as? UnsafeMutablePointer<Float>, let packed = packed as? UnsafeMutablePointer<Float>
    else {
      return TileProduct.withTransposed(
        m: rows, n: span.count, k: shape.headSize, scale: T(scale), query, row: shape.query.position,
        key + span.lowerBound &* stride, row: stride, scores + span.lowerBound, row: shape.keys)
    }
    var arguments = arguments(rows, n: shape.keys, k: shape.headSize)
    arguments.a = left
    arguments.a_row_stride = Int64(shape.query.position)
    arguments.c = result
    arguments.c_row_stride = Int64(shape.keys)
    arguments.epilogue.scale = Float(scale)
    if packedCount > 0 {
      arguments.b = UnsafePointer(packed)
      let first = Int64(span.lowerBound) / Int64(kernels.table.pointee.gemm_panel)
      kernels.table.pointee.gemm(&arguments, 0, Int64(rows), first, max(first, panels(span.upperBound)))
    } else {
      arguments.n = Int64(span.count)
      arguments.b = right + span.lowerBound &* stride
      arguments.b_row_stride = 1
      arguments.b_column_stride = Int64(stride)
      arguments.c = result + span.lowerBound
      kernels.table.pointee.gemm_direct(&arguments, 0, Int64(rows), 0, panels(span.count))
    }
  }

  /// Means of values, weighted by probabilities.
  private func multiplyValues<T: RealElement>(
    _ rows: Int, _ probabilities: UnsafePointer<T>, _ value: UnsafePointer<T>, _ stride: Int,
    _ result: UnsafeMutablePointer<T>, _ depth: Int
  ) {
    guard let left = probabilities as? UnsafePointer<Float>, let right = value as? UnsafePointer<Float>,
      let target = result as? UnsafeMutablePointer<Float>
    else {
      return TileProduct.with(
        m: rows, n: shape.valueSize, k: depth, probabilities, row: shape.keys, value, row: stride, result,
        row: shape.result.position)
    }
    var arguments = arguments(rows, n: shape.valueSize, k: depth)
    arguments.a = left
    arguments.a_row_stride = Int64(shape.keys)
    arguments.b = right
    arguments.b_row_stride = Int64(stride)
    arguments.b_column_stride = 1
    arguments.c = target
    arguments.c_row_stride = Int64(shape.result.position)
    kernels.table.pointee.gemm_direct(&arguments, 0, Int64(rows), 0, panels(shape.valueSize))
  }
}
