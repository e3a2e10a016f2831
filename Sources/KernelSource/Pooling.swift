import CKernelSupport

func pool(_ args: dlk_pool_args, _ rows: Range<Int>) {
  let channels = Int(args.channels), window = args.window, height = Int(window.out_h)
  forEachWindowPart(window, args.x, args.x_pixels, args.y, args.y_pixels, rows, ring: Int(args.x_ring)) {
    part, row, pixel in
    // Where a part holds several pixels, their windows are whole across, so that one size goes for all.
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
          pixel, window.in_w, window.kernel_w, window.stride_w, window.dilation_w, window.pad_w, window.pad_end_w)
    }
    var part = part
    while part.pixels > 0 {
      let count = part.pixels >= 4 ? 4 : 1
      switch (args.function, count) {
      case (DLK_POOL_MAX, 4): poolPixels(PoolTile<PoolMaximum, 4>.self, part, channels, 1)
      case (DLK_POOL_MAX, _): poolPixels(PoolTile<PoolMaximum, 1>.self, part, channels, 1)
      case (_, 4): poolPixels(PoolTile<PoolSum, 4>.self, part, channels, 1 / Float(size))
      default: poolPixels(PoolTile<PoolSum, 1>.self, part, channels, 1 / Float(size))
      }
      part.x += count &* part.pixelStep
      part.y += count &* part.yStep
      part.pixels = part.pixels &- count
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

protocol PoolFunction {
  static var identity: Float { get }
  static func join(_ a: VF, _ b: VF) -> VF
}

enum PoolMaximum: PoolFunction {
  @inline(__always) static var identity: Float { -.infinity }
  @inline(__always) static func join(_ a: VF, _ b: VF) -> VF { dlk_select(dlk_equal(a, a), dlk_max(a, b), a) }
}

private enum PoolSum: PoolFunction {
  @inline(__always) static var identity: Float { 0 }
  @inline(__always) static func join(_ a: VF, _ b: VF) -> VF { a + b }
}

/// `P` pixels whose windows are cut alike.
private enum PoolTile<F: PoolFunction, let P: Int> {
  @inline(__always)
  static func run<C: ColumnAccess, let NV: Int>(
    _ c: C.Type, _ vectors: PoolVectors<NV>.Type, _ part: WindowPart, _ channel: Int, _ count: Int, _ factor: Float
  ) {
    var values = InlineArray<P, InlineArray<NV, VF>> { _ in InlineArray<NV, VF> { _ in constant(F.identity) } }
    for plane in 0..<part.planes {
      for line in 0..<part.lines {
        var x = part.x + (plane &* part.planeStep &+ part.ring.offset(line, part.lineStep) &+ channel)
        for _ in 0..<part.across {
          for p in 0..<P {
            for j in 0..<NV {
              values[p][j] = F.join(values[p][j], C.load(x + (p &* part.pixelStep &+ j &* lanes), count))
            }
          }
          x += part.tapStep
        }
      }
    }
    if F.identity == 0 { for p in 0..<P { for j in 0..<NV { values[p][j] *= constant(factor) } } }
    for p in 0..<P {
      for j in 0..<NV { C.store(part.y + (p &* part.yStep &+ channel &+ j &* lanes), values[p][j], count) }
    }
  }
}

private enum PoolVectors<let NV: Int> {}

@inline(__always)
private func poolPixels<F: PoolFunction, let P: Int>(
  _ tile: PoolTile<F, P>.Type, _ part: WindowPart, _ channels: Int, _ factor: Float
) {
  var channel = 0
  while channel &+ 2 &* lanes <= channels {
    PoolTile<F, P>.run(WholeColumns.self, PoolVectors<2>.self, part, channel, 0, factor)
    channel = channel &+ 2 &* lanes
  }
  if channel &+ lanes <= channels {
    PoolTile<F, P>.run(WholeColumns.self, PoolVectors<1>.self, part, channel, 0, factor)
    channel = channel &+ lanes
  }
  if channel < channels {
    PoolTile<F, P>.run(PartialColumns.self, PoolVectors<1>.self, part, channel, channels &- channel, factor)
  }
}
