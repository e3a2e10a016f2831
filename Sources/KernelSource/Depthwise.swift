import CKernelSupport

func depthwise(_ args: dlk_depthwise_args, _ rows: Range<Int>) {
  let epilogue = DepthwiseEpilogue(args)
  if args.window.dilation_w == 1, let kernel = slidingKernel(args.window) {
    forEachOutputRow(args.window, args.x, args.x_pixels, args.y, args.y_pixels, rows) { row in
      slide(args, row, epilogue, kernel)
      epilogue.activate(row.y, row.yStep, Int(args.window.out_w), Int(args.channels))
    }
    return
  }
  forEachWindowPart(args.window, args.x, args.x_pixels, args.y, args.y_pixels, rows) { part, _, _ in
    var part = part
    let (y, whole) = (part.y, part.pixels)
    while part.pixels > 0 {
      let count = part.pixels >= 4 ? 4 : 1
      if count == 1 {
        runChannels(DepthwiseTile<1, 4>.self, DepthwiseTile<1, 1>.self, part, args, epilogue)
      } else {
        runChannels(DepthwiseTile<4, 2>.self, DepthwiseTile<4, 1>.self, part, args, epilogue)
      }
      part.x += count &* part.pixelStep
      part.y += count &* part.yStep
      part.pixels = part.pixels &- count
    }
    epilogue.activate(y, part.yStep, whole, Int(args.channels))
  }
}

private struct DepthwiseEpilogue {
  let clamps: Bool
  let low: VF
  let high: VF
  let args: dlk_depthwise_args

  init(_ args: dlk_depthwise_args) {
    self.args = args
    clamps = args.activation == DLK_UNARY_RELU || args.activation == DLK_UNARY_CLIP
    low = constant(args.activation == DLK_UNARY_CLIP ? args.a : 0)
    high = constant(args.activation == DLK_UNARY_CLIP ? args.b : .infinity)
  }

  @inline(__always) func clamp(_ value: VF) -> VF { clamps ? dlk_min(high, dlk_max(low, value)) : value }

  /// Applies an activation that needs a pass of its own to pixels that were just written.
  func activate(_ y: Target, _ step: Int, _ pixels: Int, _ channels: Int) {
    if clamps || args.activation == DLK_UNARY_IDENTITY { return }
    if step == channels {
      unary(args.activation, args.a, args.b, Source(y), y, pixels &* channels)
    } else {
      for pixel in 0..<pixels {
        unary(args.activation, args.a, args.b, Source(y + pixel &* step), y + pixel &* step, channels)
      }
    }
  }
}

// Any window.

private protocol ChannelTile {
  static var vectors: Int { get }
  static func run<C: ColumnAccess>(
    _ c: C.Type, _ part: WindowPart, _ args: dlk_depthwise_args, _ channel: Int, _ count: Int,
    _ epilogue: DepthwiseEpilogue)
}

/// All channels of one tile: as many vectors at once as `wide` takes, then one by one, then the rest.
@inline(__always)
private func runChannels<Wide: ChannelTile, Narrow: ChannelTile>(
  _ wide: Wide.Type, _ narrow: Narrow.Type, _ part: WindowPart, _ args: dlk_depthwise_args,
  _ epilogue: DepthwiseEpilogue
) {
  let channels = Int(args.channels)
  var channel = 0
  while channel &+ Wide.vectors &* lanes <= channels {
    Wide.run(WholeColumns.self, part, args, channel, 0, epilogue)
    channel = channel &+ Wide.vectors &* lanes
  }
  while channel &+ lanes <= channels {
    Narrow.run(WholeColumns.self, part, args, channel, 0, epilogue)
    channel = channel &+ lanes
  }
  if channel < channels { Narrow.run(PartialColumns.self, part, args, channel, channels &- channel, epilogue) }
}

/// `P` pixels, whose windows are cut alike by the border, by `NV` vectors of channels.
private enum DepthwiseTile<let P: Int, let NV: Int>: ChannelTile {
  @inline(__always) static var vectors: Int { NV }

  @inline(__always)
  static func run<C: ColumnAccess>(
    _ c: C.Type, _ part: WindowPart, _ args: dlk_depthwise_args, _ channel: Int, _ count: Int,
    _ epilogue: DepthwiseEpilogue
  ) {
    let channels = Int(args.channels), window = args.window
    var sums = InlineArray<P, InlineArray<NV, VF>> { _ in InlineArray<NV, VF> { _ in VF() } }
    if let bias = args.bias {
      for p in 0..<P { for j in 0..<NV { sums[p][j] = C.load(bias + (channel &+ j &* lanes), count) } }
    }
    for plane in 0..<part.planes {
      for line in 0..<part.lines {
        let tap =
          ((part.firstPlane &+ plane) &* Int(window.kernel_h) &+ part.firstLine &+ line) &* Int(window.kernel_w)
          &+ part.firstAcross
        var weights: Source = args.weights + (tap &* channels &+ channel)
        var x = part.x + (plane &* part.planeStep &+ line &* part.lineStep &+ channel)
        for _ in 0..<part.across {
          let w = InlineArray<NV, VF> { C.load(weights + $0 &* lanes, count) }
          for p in 0..<P {
            for j in 0..<NV {
              sums[p][j] = dlk_fma(C.load(x + (p &* part.pixelStep &+ j &* lanes), count), w[j], sums[p][j])
            }
          }
          weights += channels
          x += part.tapStep
        }
      }
    }
    for p in 0..<P {
      for j in 0..<NV {
        C.store(part.y + (p &* part.yStep &+ channel &+ j &* lanes), epilogue.clamp(sums[p][j]), count)
      }
    }
  }
}

// The common windows: 3, 5 or 7 wide, stride 1 or 2.

/// Which of the sliding tiles fits the window.
private enum SlidingKernel { case wide3, wide3By2, wide5, wide5By2, wide7 }

private func slidingKernel(_ window: dlk_window) -> SlidingKernel? {
  switch (window.kernel_w, window.stride_w) {
  case (3, 1): .wide3
  case (3, 2): .wide3By2
  case (5, 1): .wide5
  case (5, 2): .wide5By2
  case (7, 1): .wide7
  default: nil
  }
}

@inline(__always)
private func slide(
  _ args: dlk_depthwise_args, _ row: WindowRow, _ epilogue: DepthwiseEpilogue, _ kernel: SlidingKernel
) {
  var pixel = 0
  while pixel < Int(args.window.out_w) {
    switch kernel {
    case .wide3: SlidingTile<3, 1, 2>.run(args, row, pixel, epilogue)
    case .wide3By2: SlidingTile<3, 2, 2>.run(args, row, pixel, epilogue)
    case .wide5: SlidingTile<5, 1, 1>.run(args, row, pixel, epilogue)
    case .wide5By2: SlidingTile<5, 2, 1>.run(args, row, pixel, epilogue)
    case .wide7: SlidingTile<7, 1, 1>.run(args, row, pixel, epilogue)
    }
    pixel = pixel &+ slidingPixels
  }
}

/// Output pixels of a sliding tile.
private var slidingPixels: Int { 4 }

/// Four output pixels, `NV` vectors of channels at a time. Each pixel of a line is loaded once for all the taps that
/// meet it; what lies outside the image is left out, so that a tile at the border is like any other.
private enum SlidingTile<let Width: Int, let Stride: Int, let NV: Int> {
  @inline(never)
  static func run(_ args: dlk_depthwise_args, _ row: WindowRow, _ pixel: Int, _ epilogue: DepthwiseEpilogue) {
    let left = pixel &* Stride &- Int(args.window.pad_w)
    let inside = max(0, -left)..<max(0, Int(args.window.in_w) &- left)
    let pixels = min(4, Int(args.window.out_w) &- pixel)
    let x = row.x + left &* row.tapStep, y = row.y + pixel &* row.yStep
    let channels = Int(args.channels)
    var channel = 0
    while channel &+ NV &* lanes <= channels {
      tile(WholeColumns.self, VectorCount<NV>.self, args, row, x, y, inside, pixels, channel, 0, epilogue)
      channel = channel &+ NV &* lanes
    }
    while channel < channels {
      let count = min(lanes, channels &- channel)
      tile(
        PartialColumns.self, VectorCount<1>.self, args, row, x, y, inside, pixels, channel, count, epilogue)
      channel = channel &+ lanes
    }
  }

  @inline(__always)
  private static func tile<C: ColumnAccess, let N: Int>(
    _ columns: C.Type, _ vectors: VectorCount<N>.Type, _ args: dlk_depthwise_args, _ row: WindowRow, _ x: Source,
    _ y: Target, _ inside: Range<Int>, _ pixels: Int, _ channel: Int, _ count: Int, _ epilogue: DepthwiseEpilogue
  ) {
    let channels = Int(args.channels)
    var sums = InlineArray<4, InlineArray<N, VF>> { _ in InlineArray<N, VF> { _ in VF() } }
    if let bias = args.bias {
      for p in 0..<4 { for j in 0..<N { sums[p][j] = C.load(bias + (channel &+ j &* lanes), count) } }
    }
    for plane in 0..<row.planes {
      for line in 0..<row.lines {
        let tapLine = (row.firstPlane &+ plane) &* Int(args.window.kernel_h) &+ row.firstLine &+ line
        let weights: Source = args.weights + (tapLine &* Width &* channels &+ channel)
        let w = InlineArray<Width, InlineArray<N, VF>> { tap in
          InlineArray<N, VF> { C.load(weights + (tap &* channels &+ $0 &* lanes), count) }
        }
        let from = x + (plane &* row.planeStep &+ line &* row.lineStep &+ channel)
        for i in 0..<3 &* Stride &+ Width {
          guard i >= inside.lowerBound && i < inside.upperBound else { continue }
          let value = InlineArray<N, VF> { C.load(from + (i &* row.tapStep &+ $0 &* lanes), count) }
          for p in 0..<4 {
            let tap = i &- p &* Stride
            if tap >= 0 && tap < Width {
              for j in 0..<N { sums[p][j] = dlk_fma(value[j], w[tap][j], sums[p][j]) }
            }
          }
        }
      }
    }
    for p in 0..<4 where p < pixels {
      for j in 0..<N {
        C.store(y + (p &* row.yStep &+ channel &+ j &* lanes), epilogue.clamp(sums[p][j]), count)
      }
    }
  }
}

private enum VectorCount<let N: Int> {}
