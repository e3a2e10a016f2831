import CKernelSupport

/// A convolution whose groups are narrower than a vector: the channels of several groups share one, and each channel is
/// spread over its group in registers, so that no lane is idle and no group sees another's numbers.
func narrowGroups(_ args: dlk_narrow_groups_args, _ rows: Range<Int>) {
  let clamp = NarrowGroupsClamp(args)
  forEachOutputRow(args.window, args.x, args.x_pixels, args.y, args.y_pixels, rows) { row in
    if args.window.stride_w == 1 {
      NarrowGroupsTile<1>.run(args, row, clamp)
    } else {
      NarrowGroupsTile<2>.run(args, row, clamp)
    }
    if clamp.isLast { return }
    for pixel in 0..<Int(args.window.out_w) {
      let y = row.y + pixel &* row.yStep
      unary(args.activation, args.a, args.b, Source(y), y, Int(args.channels))
    }
  }
}

private struct NarrowGroupsClamp {
  /// Nothing but the clamp follows the sums.
  let isLast: Bool
  let low: VF
  let high: VF

  init(_ args: dlk_narrow_groups_args) {
    switch args.activation {
    case DLK_UNARY_RELU: (isLast, low, high) = (true, constant(0), constant(.infinity))
    case DLK_UNARY_CLIP: (isLast, low, high) = (true, constant(args.a), constant(args.b))
    case DLK_UNARY_IDENTITY: (isLast, low, high) = (true, constant(-.infinity), constant(.infinity))
    default: (isLast, low, high) = (false, constant(-.infinity), constant(.infinity))
    }
  }

  @inline(__always) func apply(_ value: VF) -> VF { dlk_min(high, dlk_max(low, value)) }
}

/// Output pixels that share their weights' loads.
private var pixelsAtOnce: Int { 8 }

/// A row of outputs under a window three pixels wide, a vector of channels at a time.
private enum NarrowGroupsTile<let Stride: Int> {
  static func run(_ args: dlk_narrow_groups_args, _ row: WindowRow, _ clamp: NarrowGroupsClamp) {
    let channels = Int(args.channels), width = Int(args.window.out_w)
    var channel = 0
    while channel < channels {
      let count = min(lanes, channels &- channel)
      var pixel = 0
      while pixel < width {
        let left = pixel &* Stride &- Int(args.window.pad_w)
        let pixels = min(pixelsAtOnce, width &- pixel)
        let isInside = left >= 0 && left &+ (pixelsAtOnce &- 1) &* Stride &+ 3 <= Int(args.window.in_w)
        if count == lanes && isInside && pixels == pixelsAtOnce {
          tile(WholeColumns.self, args, row, pixel, left, pixels, channel, count, clamp, isInside: true)
        } else {
          tile(PartialColumns.self, args, row, pixel, left, pixels, channel, count, clamp, isInside: false)
        }
        pixel = pixel &+ pixelsAtOnce
      }
      channel = channel &+ lanes
    }
  }

  @inline(__always)
  private static func tile<C: ColumnAccess>(
    _ columns: C.Type, _ args: dlk_narrow_groups_args, _ row: WindowRow, _ pixel: Int, _ left: Int, _ pixels: Int,
    _ channel: Int, _ count: Int, _ clamp: NarrowGroupsClamp, isInside: Bool
  ) {
    let channels = Int(args.channels), members = Int(args.group)
    let bias = args.bias.map { C.load($0 + channel, count) } ?? VF()
    var sums = InlineArray<8, VF> { _ in bias }
    for plane in 0..<row.planes {
      for line in 0..<row.lines {
        let tapLine = (row.firstPlane &+ plane) &* Int(args.window.kernel_h) &+ row.firstLine &+ line
        var weights: Source = args.weights + (tapLine &* 3 &* members &* channels &+ channel)
        let from =
          row.x + (plane &* row.planeStep &+ line &* row.lineStep &+ left &* row.tapStep &+ channel)
        for member in 0..<members {
          let places = dlk_group_lanes(Int32(members), Int32(member))
          let w = InlineArray<3, VF> { C.load(weights + $0 &* members &* channels, count) }
          weights += channels
          for i in 0..<7 &* Stride &+ 3 {
            if !isInside && (left &+ i < 0 || left &+ i >= Int(args.window.in_w)) { continue }
            let value = dlk_permute(C.load(from + i &* row.tapStep, count), places)
            for p in 0..<8 {
              let tap = i &- p &* Stride
              if tap >= 0 && tap < 3 { sums[p] = dlk_fma(value, w[tap], sums[p]) }
            }
          }
        }
      }
    }
    for p in 0..<8 where p < pixels {
      C.store(row.y + ((pixel &+ p) &* row.yStep &+ channel), clamp.apply(sums[p]), count)
    }
  }
}
