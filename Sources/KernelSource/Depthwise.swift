import CKernelSupport

func depthwise(_ args: dlk_depthwise_args, _ rows: Range<Int>) {
  let epilogue = DepthwiseEpilogue(args)
  if copiesStrips(args) { return depthwiseStrips(args, rows, epilogue) }
  let isGrouped = args.group > 1
  if args.window.dilation_w == 1, let kernel = slidingKernel(args) {
    slideRows(args, rows, kernel, epilogue)
    return
  }
  forEachWindowPart(
    args.window, args.x, args.x_pixels, args.y, args.y_pixels, rows, ring: Int(args.x_ring)
  ) { part, _, _ in
    var part = part
    let (y, whole) = (part.y, part.pixels)
    while part.pixels > 0 {
      let count = part.pixels >= 4 ? 4 : 1
      if isGrouped {
        if count == 1 {
          runChannels(GroupedTile<1>.self, GroupedTile<1>.self, part, args, epilogue)
        } else {
          runChannels(GroupedTile<4>.self, GroupedTile<4>.self, part, args, epilogue)
        }
      } else if count == 1 {
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

private func slideRows(
  _ args: dlk_depthwise_args, _ rows: Range<Int>, _ kernel: SlidingKernel, _ epilogue: DepthwiseEpilogue
) {
  var room = SlidingRoom()
  withUnsafeMutablePointer(to: &room) { room in
    var some = SlidingRows(args, epilogue, room)
    var left = rows.count
    #if DL_AVX512
      let isPaired = SlidingPair.fits(args, kernel)
      var above: WindowRow? = nil
    #endif
    forEachOutputRow(args.window, args.x, args.x_pixels, args.y, args.y_pixels, rows, ring: Int(args.x_ring)) { row in
      left = left &- 1
      #if DL_AVX512
        if let first = above {
          some.add(args, first, below: row)
          above = nil
        } else if isPaired, left > 0 {
          above = row
          return
        } else {
          some.add(args, row)
        }
      #else
        some.add(args, row)
      #endif
      if left > 0, !some.isFull { return }
      withUnsafePointer(to: some) { slide($0, kernel) }
      some.finish()
    }
  }
}

struct DepthwiseEpilogue {
  let clamps: Bool
  let low: VF
  let high: VF
  private let activation: dlk_unary
  private let a, b: Float

  init(_ args: dlk_depthwise_args) {
    (activation, a, b) = (args.activation, args.a, args.b)
    clamps = args.activation == DLK_UNARY_RELU || args.activation == DLK_UNARY_CLIP
    low = constant(args.activation == DLK_UNARY_CLIP ? args.a : 0)
    high = constant(args.activation == DLK_UNARY_CLIP ? args.b : .infinity)
  }

  /// Whether no pass of its own is needed.
  var isFree: Bool { clamps || activation == DLK_UNARY_IDENTITY }

  @inline(__always) func clamp(_ value: VF) -> VF { clamps ? dlk_min(high, dlk_max(low, value)) : value }

  /// Applies an activation that needs a pass of its own to pixels that were just written.
  func activate(_ y: Target, _ step: Int, _ pixels: Int, _ channels: Int) {
    if isFree { return }
    if step == channels {
      unary(activation, a, b, Source(y), y, pixels &* channels)
    } else {
      for pixel in 0..<pixels {
        unary(activation, a, b, Source(y + pixel &* step), y + pixel &* step, channels)
      }
    }
  }
}

// Any window.

protocol ChannelTile {
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
    let weightStride = Int(args.weight_stride), window = args.window
    var sums = InlineArray<P, InlineArray<NV, VF>> { _ in InlineArray<NV, VF> { _ in VF() } }
    if let bias = args.bias {
      for p in 0..<P { for j in 0..<NV { sums[p][j] = C.load(bias + (channel &+ j &* lanes), count) } }
    }
    for plane in 0..<part.planes {
      for line in 0..<part.lines {
        let tap =
          ((part.firstPlane &+ plane) &* Int(window.kernel_h) &+ part.firstLine &+ line) &* Int(window.kernel_w)
          &+ part.firstAcross
        var weights: Source = args.weights + (tap &* weightStride &+ channel)
        var x = part.x + (plane &* part.planeStep &+ part.ring.offset(line, part.lineStep) &+ channel)
        for _ in 0..<part.across {
          let w = InlineArray<NV, VF> { C.load(weights + $0 &* lanes, count) }
          for p in 0..<P {
            for j in 0..<NV {
              sums[p][j] = dlk_fma(C.load(x + (p &* part.pixelStep &+ j &* lanes), count), w[j], sums[p][j])
            }
          }
          weights += weightStride
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
