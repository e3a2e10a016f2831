import CKernelSupport

// Depthwise windows 3, 5 or 7 wide, of stride 1 or 2.

/// Which of the sliding tiles fits the window.
enum SlidingKernel { case wide3, wide3By2, wide5, wide5By2, wide7 }

func slidingKernel(_ args: dlk_depthwise_args) -> SlidingKernel? {
  let window = args.window
  guard window.kernel_d &* window.kernel_h <= SlidingRow.mostLines else { return nil }
  return switch (window.kernel_w, window.stride_w) {
  case (3, 1): .wide3
  case (3, 2): .wide3By2
  case _ where args.group > 1: nil
  case (5, 1): .wide5
  case (5, 2): .wide5By2
  case (7, 1): .wide7
  default: nil
  }
}

/// One output row: the lines of the image under its window, and the taps that meet each.
struct SlidingRow {
  static var mostLines: Int64 { 32 }

  private(set) var lines = InlineArray<32, Source?> { _ in nil }
  private(set) var weights = InlineArray<32, Source?> { _ in nil }
  private(set) var count = 0
  let y: Target
  let yStep: Int
  let tapStep: Int
  let channels: Int
  let group: Int
  let bias: Source?
  let epilogue: DepthwiseEpilogue
  let inWidth, outWidth, pad: Int

  init(_ args: dlk_depthwise_args, _ row: WindowRow, _ epilogue: DepthwiseEpilogue) {
    (y, yStep, tapStep) = (row.y, row.yStep, row.tapStep)
    (channels, group, bias, self.epilogue) = (Int(args.channels), Int(args.group), args.bias, epilogue)
    (inWidth, outWidth, pad) = (Int(args.window.in_w), Int(args.window.out_w), Int(args.window.pad_w))
    for plane in 0..<row.planes {
      for line in 0..<row.lines {
        let tapLine = (row.firstPlane &+ plane) &* Int(args.window.kernel_h) &+ row.firstLine &+ line
        lines[count] = row.x + (plane &* row.planeStep &+ row.ring.offset(line, row.lineStep))
        weights[count] = args.weights + tapLine &* Int(args.window.kernel_w) &* group &* channels
        count = count &+ 1
      }
    }
  }
}

/// One output row.
@inline(__always)
func slide(_ row: SlidingRow, _ kernel: SlidingKernel) {
  withUnsafePointer(to: row) { row in
    forEachSlidingTile(row.pointee.outWidth) { pixel, isFour in
      if isFour { slideFour(row, pixel, kernel) } else { slideSeven(row, pixel, kernel) }
    }
  }
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

private func slideFour(_ row: UnsafePointer<SlidingRow>, _ pixel: Int, _ kernel: SlidingKernel) {
  switch kernel {
  case .wide3 where row.pointee.group > 1: GroupedSlidingTile<3, 1, 4>.run(row, pixel)
  case .wide3By2 where row.pointee.group > 1: GroupedSlidingTile<3, 2, 4>.run(row, pixel)
  case .wide3: SlidingTile<3, 1, 4>.run(row, pixel)
  case .wide3By2: SlidingTile<3, 2, 4>.run(row, pixel)
  case .wide5: SlidingTile<5, 1, 4>.run(row, pixel)
  case .wide5By2: SlidingTile<5, 2, 4>.run(row, pixel)
  case .wide7: SlidingTile<7, 1, 4>.run(row, pixel)
  }
}

private func slideSeven(_ row: UnsafePointer<SlidingRow>, _ pixel: Int, _ kernel: SlidingKernel) {
  switch kernel {
  case .wide3 where row.pointee.group > 1: GroupedSlidingTile<3, 1, 7>.run(row, pixel)
  case .wide3By2 where row.pointee.group > 1: GroupedSlidingTile<3, 2, 7>.run(row, pixel)
  case .wide3: SlidingTile<3, 1, 7>.run(row, pixel)
  case .wide3By2: SlidingTile<3, 2, 7>.run(row, pixel)
  case .wide5: SlidingTile<5, 1, 7>.run(row, pixel)
  case .wide5By2: SlidingTile<5, 2, 7>.run(row, pixel)
  case .wide7: SlidingTile<7, 1, 7>.run(row, pixel)
  }
}

/// `P` output pixels, some vectors of channels at a time. Each pixel of a line is loaded once for all the taps that meet
/// it; at the border, what lies outside the image is left out.
private enum SlidingTile<let Width: Int, let Stride: Int, let P: Int> {
  @inline(never)
  static func run(_ row: UnsafePointer<SlidingRow>, _ pixel: Int) {
    let left = pixel &* Stride &- row.pointee.pad
    let inside = max(0, -left)..<max(0, row.pointee.inWidth &- left)
    let pixels = min(P, row.pointee.outWidth &- pixel)
    let offset = left &* row.pointee.tapStep, y = row.pointee.y + pixel &* row.pointee.yStep
    let channels = row.pointee.channels
    let isWhole = pixels == P && inside.lowerBound == 0 && inside.upperBound >= (P &- 1) &* Stride &+ Width
    var channel = 0
    #if DL_AVX512 || DL_AVX512VNNI
      // Sixteen more registers take two vectors at once.
      while isWhole, channel &+ 2 &* lanes <= channels {
        tile(WholeColumns.self, Border<2, 0>.self, row, offset, y, inside, pixels, channel, 0)
        channel = channel &+ 2 &* lanes
      }
      while channel &+ 2 &* lanes <= channels {
        tile(WholeColumns.self, Border<2, 1>.self, row, offset, y, inside, pixels, channel, 0)
        channel = channel &+ 2 &* lanes
      }
    #endif
    if isWhole, channels >= lanes {
      while channel < channels {
        // The last vector may begin among the channels of the one before.
        let first = min(channel, channels &- lanes)
        tile(WholeColumns.self, Border<1, 0>.self, row, offset, y, inside, pixels, first, 0)
        channel = channel &+ lanes
      }
    }
    while channel < channels {
      let count = min(lanes, channels &- channel)
      tile(PartialColumns.self, Border<1, 1>.self, row, offset, y, inside, pixels, channel, count)
      channel = channel &+ lanes
    }
  }

  @inline(__always)
  private static func tile<C: ColumnAccess, let N: Int, let Checks: Int>(
    _ columns: C.Type, _ border: Border<N, Checks>.Type, _ row: UnsafePointer<SlidingRow>, _ offset: Int, _ y: Target,
    _ inside: Range<Int>, _ pixels: Int, _ channel: Int, _ count: Int
  ) {
    let channels = row.pointee.channels, tapStep = row.pointee.tapStep
    var sums = InlineArray<P, InlineArray<N, VF>> { _ in InlineArray<N, VF> { _ in VF() } }
    if let bias = row.pointee.bias {
      for p in 0..<P { for j in 0..<N { sums[p][j] = C.load(bias + (channel &+ j &* lanes), count) } }
    }
    for line in 0..<row.pointee.count {
      guard let base = row.pointee.lines[line], let taps = row.pointee.weights[line] else { break }
      let w = InlineArray<Width, InlineArray<N, VF>> { tap in
        InlineArray<N, VF> { C.load(taps + (tap &* channels &+ channel &+ $0 &* lanes), count) }
      }
      let from = base + (offset &+ channel)
      for i in 0..<(P &- 1) &* Stride &+ Width {
        if Checks == 1 { guard i >= inside.lowerBound && i < inside.upperBound else { continue } }
        let value = InlineArray<N, VF> { C.load(from + (i &* tapStep &+ $0 &* lanes), count) }
        for p in 0..<P {
          let tap = i &- p &* Stride
          if tap >= 0 && tap < Width {
            for j in 0..<N { sums[p][j] = dlk_fma(value[j], w[tap][j], sums[p][j]) }
          }
        }
      }
    }
    if row.pointee.epilogue.clamps {
      let low = row.pointee.epilogue.low, high = row.pointee.epilogue.high
      for p in 0..<P { for j in 0..<N { sums[p][j] = dlk_min(high, dlk_max(low, sums[p][j])) } }
    }
    let yStep = row.pointee.yStep
    for p in 0..<P where Checks == 0 || p < pixels {
      for j in 0..<N { C.store(y + (p &* yStep &+ channel &+ j &* lanes), sums[p][j], count) }
    }
  }
}

/// `N` vectors of channels; `Checks` is 1 where a tile may reach beyond the image.
enum Border<let N: Int, let Checks: Int> {}
