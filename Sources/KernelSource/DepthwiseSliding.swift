import CKernelSupport

// Depthwise windows 3 or 5 wide, of stride 1 or 2.

/// Vectors of four lanes can hardly be permuted; operators do not ask for groups of theirs.
@inline(__always) private var slidesGroups: Bool { lanes > 4 }

/// Which of the sliding tiles fits the window.
enum SlidingKernel { case wide3, wide3By2, wide5, wide5By2 }

func slidingKernel(_ args: dlk_depthwise_args) -> SlidingKernel? {
  let window = args.window
  guard window.kernel_d &* window.kernel_h <= SlidingRow.mostLines else { return nil }
  return switch (window.kernel_w, window.stride_w) {
  case _ where args.group > 1 && !slidesGroups: nil
  case (3, 1): .wide3
  case (3, 2): .wide3By2
  case _ where args.group > 1: nil
  case (5, 1): .wide5
  case (5, 2): .wide5By2
  default: nil
  }
}

/// Some output rows, one below the other.
struct SlidingRows {
  /// Floats of the image under a tile that stay in the first-level cache from row to row.
  private static var cachedFloats: Int { 6144 }

  let rows: UnsafeMutablePointer<SlidingRow>
  private(set) var count = 0
  #if DL_AVX512
    let pairs: UnsafeMutablePointer<SlidingPair>
    private(set) var pairCount = 0
  #endif
  private let lines: UnsafeMutableRawPointer
  private var usedBytes = 0
  let yStep: Int
  let tapStep: Int
  let channels, weightStride: Int
  let group, inputs: Int
  let bias: Source?
  let epilogue: DepthwiseEpilogue
  let inWidth, outWidth, pad: Int
  /// Rows there are at most; channels that go down all of them together.
  private let limit: Int
  let block: Int

  init(_ args: dlk_depthwise_args, _ epilogue: DepthwiseEpilogue, _ room: UnsafeMutablePointer<SlidingRoom>) {
    rows = withAddress(of: &room.pointee.rows) { $0.assumingMemoryBound(to: SlidingRow.self) }
    lines = withAddress(of: &room.pointee.lines) { $0 }
    #if DL_AVX512
      pairs = withAddress(of: &room.pointee.pairs) { $0.assumingMemoryBound(to: SlidingPair.self) }
    #endif
    (yStep, tapStep) = (Int(args.y_pixels.pixel_stride), Int(args.x_pixels.pixel_stride))
    (channels, weightStride) = (Int(args.channels), Int(args.weight_stride))
    (group, inputs) = (Int(args.group), Int(args.inputs))
    (bias, self.epilogue) = (args.bias, epilogue)
    (inWidth, outWidth, pad) = (Int(args.window.in_w), Int(args.window.out_w), Int(args.window.pad_w))
    // An image as a whole, whose lines lie in farther caches, comes faster along its rows.
    if args.x_ring == 0 {
      (limit, block) = (1, max(1, channels))
      return
    }
    let window = args.window, height = max(1, Int(window.kernel_d &* window.kernel_h))
    limit = min(SlidingRoom.rows, SlidingRoom.lines / height)
    let pixels = 6 &* Int(window.stride_w) &+ Int(window.kernel_w)
    let fits = max(1, Self.cachedFloats / (pixels &* height))
    let blocks = max(1, ceilDivide(channels, fits)), unit = 2 &* lanes
    block = max(unit, ceilDivide(channels, blocks &* unit) &* unit)
  }

  mutating func add(_ args: dlk_depthwise_args, _ row: WindowRow) {
    (rows + count).initialize(to: SlidingRow(args, row, lines + usedBytes))
    usedBytes = usedBytes &+ rows[count].count &* MemoryLayout<SlidingLine>.stride
    count = count &+ 1
  }

  #if DL_AVX512
    mutating func add(_ args: dlk_depthwise_args, _ row: WindowRow, below: WindowRow) {
      (pairs + pairCount).initialize(to: SlidingPair(args, row, below: below, lines + usedBytes))
      usedBytes = usedBytes &+ pairs[pairCount].count &* MemoryLayout<SlidingPair.Line>.stride
      pairCount = pairCount &+ 1
    }

    var isFull: Bool { count &+ 2 &* pairCount >= limit }
  #else
    var isFull: Bool { count >= limit }
  #endif

  /// Applies an activation that needs a pass of its own, and forgets the rows.
  mutating func finish() {
    for i in 0..<count { epilogue.activate(rows[i].y, yStep, outWidth, channels) }
    (count, usedBytes) = (0, 0)
    #if DL_AVX512
      for i in 0..<pairCount {
        epilogue.activate(pairs[i].y, yStep, outWidth, channels)
        epilogue.activate(pairs[i].yBelow, yStep, outWidth, channels)
      }
      pairCount = 0
    #endif
  }
}

/// Memory for some rows, on their caller's stack.
struct SlidingRoom {
  fileprivate var rows = InlineArray<24, Int> { _ in 0 }
  #if DL_AVX512
    fileprivate var pairs = InlineArray<16, Int> { _ in 0 }
  #endif
  fileprivate var lines = InlineArray<192, Int> { _ in 0 }

  /// Rows there is room for, or half as many pairs.
  static var rows: Int {
    let rows = MemoryLayout<InlineArray<24, Int>>.size / MemoryLayout<SlidingRow>.stride
    #if DL_AVX512
      return min(rows, 2 &* (MemoryLayout<InlineArray<16, Int>>.size / MemoryLayout<SlidingPair>.stride))
    #else
      return rows
    #endif
  }

  /// Lines there is room for, of all rows or pairs together; a pair has no more than its rows have one by one.
  static var lines: Int {
    #if DL_AVX512
      let line = max(MemoryLayout<SlidingLine>.stride, MemoryLayout<SlidingPair.Line>.stride)
    #else
      let line = MemoryLayout<SlidingLine>.stride
    #endif
    return MemoryLayout<InlineArray<192, Int>>.size / line
  }
}

/// A line of the image under a window, and the taps that meet it.
struct SlidingLine {
  let x, weights: Source
}

/// One output row and the lines under its window.
struct SlidingRow {
  static var mostLines: Int64 { 32 }

  let lines: UnsafeMutablePointer<SlidingLine>
  private(set) var count = 0
  let y: Target

  /// - Parameter lines: room for them.
  init(_ args: dlk_depthwise_args, _ row: WindowRow, _ lines: UnsafeMutableRawPointer) {
    self.lines = lines.assumingMemoryBound(to: SlidingLine.self)
    y = row.y
    let tapLine = Int(args.window.kernel_w &* args.inputs &* args.weight_stride)
    for plane in 0..<row.planes {
      let first = (row.firstPlane &+ plane) &* Int(args.window.kernel_h) &+ row.firstLine
      for line in 0..<row.lines {
        self.lines[count] = SlidingLine(
          x: row.x + (plane &* row.planeStep &+ row.ring.offset(line, row.lineStep)),
          weights: args.weights + (first &+ line) &* tapLine)
        count = count &+ 1
      }
    }
  }
}

/// All rows: down first, so that a part of the image is in the first-level cache for all the windows that it lies under.
func slide(_ rows: UnsafePointer<SlidingRows>, _ kernel: SlidingKernel) {
  let channels = rows.pointee.channels, block = rows.pointee.block
  forEachSlidingTile(rows.pointee.outWidth) { pixel, isFour in
    var first = 0
    while first < channels {
      let part = SlidingPart(pixel: pixel, channels: first..<min(channels, first &+ block))
      #if DL_AVX512
        if rows.pointee.pairCount > 0 { slidePairs(rows, part, isFour: isFour) }
      #endif
      if rows.pointee.count > 0 {
        if isFour { slideFour(rows, part, kernel) } else { slideSeven(rows, part, kernel) }
      }
      first = part.channels.upperBound
    }
  }
}

/// Of a row, the channels of some pixels from one on.
struct SlidingPart {
  let pixel: Int
  let channels: Range<Int>
}

/// Walks a row in tiles of seven and of four pixels: images are most often seven times a power of two wide, and from
/// 18 on every number is a sum of fours and sevens. Where that does not come out, the last two tiles overlap.
@inline(__always)
func forEachSlidingTile(_ width: Int, _ body: (_ pixel: Int, _ isFour: Bool) -> Void) {
  let exact = 2 &* width % 7
  var fours = 4 &* exact <= width ? exact : 0
  var pixel = 0
  while pixel < width {
    let isFour = fours > 0 || width &- pixel <= 4
    body(max(0, min(pixel, width &- (isFour ? 4 : 7))), isFour)
    fours = fours &- 1
    pixel = pixel &+ (isFour ? 4 : 7)
  }
}

private func slideFour(_ rows: UnsafePointer<SlidingRows>, _ part: SlidingPart, _ kernel: SlidingKernel) {
  switch kernel {
  case .wide3 where slidesGroups && rows.pointee.group > 1: GroupedSlidingTile<3, 1, 4>.run(rows, part)
  case .wide3By2 where slidesGroups && rows.pointee.group > 1: GroupedSlidingTile<3, 2, 4>.run(rows, part)
  case .wide3: SlidingTile<3, 1, 4>.run(rows, part)
  case .wide3By2: SlidingTile<3, 2, 4>.run(rows, part)
  case .wide5: SlidingTile<5, 1, 4>.run(rows, part)
  case .wide5By2: SlidingTile<5, 2, 4>.run(rows, part)
  }
}

private func slideSeven(_ rows: UnsafePointer<SlidingRows>, _ part: SlidingPart, _ kernel: SlidingKernel) {
  switch kernel {
  case .wide3 where slidesGroups && rows.pointee.group > 1: GroupedSlidingTile<3, 1, 7>.run(rows, part)
  case .wide3By2 where slidesGroups && rows.pointee.group > 1: GroupedSlidingTile<3, 2, 7>.run(rows, part)
  case .wide3: SlidingTile<3, 1, 7>.run(rows, part)
  case .wide3By2: SlidingTile<3, 2, 7>.run(rows, part)
  case .wide5: SlidingTile<5, 1, 7>.run(rows, part)
  case .wide5By2: SlidingTile<5, 2, 7>.run(rows, part)
  }
}

/// `P` output pixels, some vectors of channels at a time. Each pixel of a line is loaded once for all the taps that meet
/// it; at the border, what lies outside the image is left out.
private enum SlidingTile<let Width: Int, let Stride: Int, let P: Int> {
  /// Pixels of the image under a tile.
  @inline(__always) private static var width: Int { (P &- 1) &* Stride &+ Width }

  @inline(never)
  static func run(_ rows: UnsafePointer<SlidingRows>, _ part: SlidingPart) {
    let left = part.pixel &* Stride &- rows.pointee.pad
    let inside = max(0, -left)..<max(0, rows.pointee.inWidth &- left)
    let pixels = min(P, rows.pointee.outWidth &- part.pixel)
    let offset = left &* rows.pointee.tapStep, place = part.pixel &* rows.pointee.yStep
    let channels = part.channels.upperBound
    let isWhole = pixels == P && inside.lowerBound <= Width / 2 && inside.upperBound >= width &- Width / 2
    for index in 0..<rows.pointee.count {
      let row = UnsafePointer(rows.pointee.rows + index), y = row.pointee.y + place
      var channel = part.channels.lowerBound
      #if DL_AVX512
        // Sixteen more registers take two vectors at once.
        while isWhole, channel &+ 2 &* lanes <= channels {
          tile(WholeColumns.self, Border<2, 0>.self, rows, row, offset, y, inside, pixels, channel, 0)
          channel = channel &+ 2 &* lanes
        }
        while channel &+ 2 &* lanes <= channels {
          tile(WholeColumns.self, Border<2, 1>.self, rows, row, offset, y, inside, pixels, channel, 0)
          channel = channel &+ 2 &* lanes
        }
      #endif
      if isWhole, channels >= lanes {
        while channel < channels {
          // The last vector may begin among the channels of the one before.
          let first = min(channel, channels &- lanes)
          tile(WholeColumns.self, Border<1, 0>.self, rows, row, offset, y, inside, pixels, first, 0)
          channel = channel &+ lanes
        }
      }
      while channel < channels {
        let count = min(lanes, channels &- channel)
        tile(PartialColumns.self, Border<1, 1>.self, rows, row, offset, y, inside, pixels, channel, count)
        channel = channel &+ lanes
      }
    }
  }

  @inline(__always)
  private static func tile<C: ColumnAccess, let N: Int, let Checks: Int>(
    _ columns: C.Type, _ border: Border<N, Checks>.Type, _ rows: UnsafePointer<SlidingRows>,
    _ row: UnsafePointer<SlidingRow>, _ offset: Int, _ y: Target, _ inside: Range<Int>, _ pixels: Int, _ channel: Int,
    _ count: Int
  ) {
    let weightStride = rows.pointee.weightStride, tapStep = rows.pointee.tapStep
    var sums = InlineArray<P, InlineArray<N, VF>> { _ in InlineArray<N, VF> { _ in VF() } }
    if let bias = rows.pointee.bias {
      for p in 0..<P { for j in 0..<N { sums[p][j] = C.load(bias + (channel &+ j &* lanes), count) } }
    }
    for line in 0..<row.pointee.count {
      let (base, taps) = (row.pointee.lines[line].x, row.pointee.lines[line].weights)
      let w = InlineArray<Width, InlineArray<N, VF>> { tap in
        InlineArray<N, VF> { C.load(taps + (tap &* weightStride &+ channel &+ $0 &* lanes), count) }
      }
      let from = base + (offset &+ channel)
      for i in 0..<width {
        if Checks == 1 || i < Width / 2 { guard i >= inside.lowerBound else { continue } }
        if Checks == 1 || i >= width &- Width / 2 { guard i < inside.upperBound else { continue } }
        let value = InlineArray<N, VF> { C.load(from + (i &* tapStep &+ $0 &* lanes), count) }
        for p in 0..<P {
          let tap = i &- p &* Stride
          if tap >= 0 && tap < Width {
            for j in 0..<N { sums[p][j] = dlk_fma(value[j], w[tap][j], sums[p][j]) }
          }
        }
      }
    }
    if rows.pointee.epilogue.clamps {
      let low = rows.pointee.epilogue.low, high = rows.pointee.epilogue.high
      for p in 0..<P { for j in 0..<N { sums[p][j] = dlk_min(high, dlk_max(low, sums[p][j])) } }
    }
    let yStep = rows.pointee.yStep
    for p in 0..<P where Checks == 0 || p < pixels {
      for j in 0..<N { C.store(y + (p &* yStep &+ channel &+ j &* lanes), sums[p][j], count) }
    }
  }
}

/// `N` vectors of channels; `Checks` is 1 where a tile may reach beyond the image by more than half a window.
enum Border<let N: Int, let Checks: Int> {}
