import CKernelSupport

func pool(_ args: dlk_pool_args, _ rows: Range<Int>) {
  let channels = Int(args.channels), window = args.window, height = Int(window.out_h)
  forEachWindowPart(window, args.x, args.x_pixels, args.y, args.y_pixels, rows) { part, row, pixel in
    for p in 0..<part.pixels {
      let x = part.x + p &* part.pixelStep, y = part.y + p &* part.yStep
      switch args.function {
      case DLK_POOL_MAX: poolPixel(PoolMaximum.self, part, x, y, channels, 1)
      default:
        var size = part.planes &* part.lines &* part.across
        if args.function == DLK_POOL_AVERAGE_PADDED {
          size =
            padded(
              row / height, window.in_d, window.kernel_d, window.stride_d, window.dilation_d, window.pad_d,
              window.pad_end_d)
            &* padded(
              row % height, window.in_h, window.kernel_h, window.stride_h, window.dilation_h, window.pad_h,
              window.pad_end_h)
            &* padded(
              pixel &+ p, window.in_w, window.kernel_w, window.stride_w, window.dilation_w, window.pad_w,
              window.pad_end_w)
        }
        poolPixel(PoolSum.self, part, x, y, channels, 1 / Float(size))
      }
    }
  }
}

/// The taps of an output's window that lie inside the padded image.
private func padded(
  _ out: Int, _ input: Int64, _ kernel: Int64, _ stride: Int64, _ dilation: Int64, _ pad: Int64, _ padEnd: Int64
) -> Int {
  WindowAxis(input: input &+ pad &+ padEnd, kernel: kernel, stride: stride, dilation: dilation, pad: 0).inside(out)
    .count
}

private protocol PoolFunction {
  static var identity: Float { get }
  static func join(_ a: VF, _ b: VF) -> VF
}

private enum PoolMaximum: PoolFunction {
  @inline(__always) static var identity: Float { -.infinity }
  @inline(__always) static func join(_ a: VF, _ b: VF) -> VF { dlk_select(dlk_equal(a, a), dlk_max(a, b), a) }
}

private enum PoolSum: PoolFunction {
  @inline(__always) static var identity: Float { 0 }
  @inline(__always) static func join(_ a: VF, _ b: VF) -> VF { a + b }
}

@inline(__always)
private func poolPixel<F: PoolFunction>(
  _ f: F.Type, _ part: WindowPart, _ x: Source, _ y: Target, _ channels: Int, _ factor: Float
) {
  var channel = 0
  while channel &+ 4 &* lanes <= channels {
    PoolTile<F, WholeColumns, 4>.run(part, x + channel, y + channel, 0, factor)
    channel = channel &+ 4 &* lanes
  }
  while channel &+ lanes <= channels {
    PoolTile<F, WholeColumns, 1>.run(part, x + channel, y + channel, 0, factor)
    channel = channel &+ lanes
  }
  if channel < channels {
    PoolTile<F, PartialColumns, 1>.run(part, x + channel, y + channel, channels &- channel, factor)
  }
}

private enum PoolTile<F: PoolFunction, C: ColumnAccess, let NV: Int> {
  @inline(__always)
  static func run(_ part: WindowPart, _ x: Source, _ y: Target, _ count: Int, _ factor: Float) {
    var values = InlineArray<NV, VF> { _ in constant(F.identity) }
    for plane in 0..<part.planes {
      for line in 0..<part.lines {
        var x = x + (plane &* part.planeStep &+ line &* part.lineStep)
        for _ in 0..<part.across {
          for j in 0..<NV { values[j] = F.join(values[j], C.load(x + j &* lanes, count)) }
          x += part.tapStep
        }
      }
    }
    if F.identity == 0 { for j in 0..<NV { values[j] *= constant(factor) } }
    for j in 0..<NV { C.store(y + j &* lanes, values[j], count) }
  }
}
