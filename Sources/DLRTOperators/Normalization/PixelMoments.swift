import CKernelSupport

/// Images whose channels are adjacent, normalised by means and variances over the pixels.
///
/// Of each block of pixels, the kernel sums what differs from its first pixel, and the squares of that, in float32; blocks
/// are joined in float64 (Chan, Golub and LeVeque 1979). So large means lose nothing: that pixel is away from the mean by
/// no more than the deviation times the root of the pixels, of which a block has few.
struct PixelMoments: Sendable {
  let images: Int
  let pixels: Int
  let channels: Int
  let groups: Int
  let epsilon: Double
  let activation: UnaryKernel
  let kernels: KernelSet

  private static let blockPixels = 64
  private var blocks: Int { (pixels &+ Self.blockPixels &- 1) / Self.blockPixels }
  /// Floats from the numbers of one kind for all channels to the next.
  private var line: Int { (channels &+ 15) & ~15 }

  func step(_ planning: Planning) -> Step {
    let (images, blocks, line) = (self.images, self.blocks, self.line)
    let chunks = Chunks(images &* blocks, cost: Double(min(pixels, Self.blockPixels) &* channels) * 0.1)
    // Two lines for every block, two for every image, float64 sums of an image.
    let factors = 2 &* images &* blocks &* line
    let totals = factors &+ 2 &* images &* line
    return Step(kernel: "\(kernels.isa.name)-f32-moments", workspace: (totals &+ 4 &* line) &* 4) { [self] io in
      let (x, y) = (io.input(0, as: Float.self), io.output(0, as: Float.self))
      let (scale, bias) = (io.input(1, as: Float.self), io.input(2, as: Float.self))
      let room = io.workspace.assumingMemoryBound(to: Float.self)
      io.parallel(chunks) { range in
        for unit in range { measure(x, unit, room + 2 &* unit &* line) }
      }
      let total = (io.workspace + totals &* 4).assumingMemoryBound(to: Double.self)
      for image in 0..<images {
        join(x + image &* pixels &* channels, room + 2 &* image &* blocks &* line, total)
        finish(total, scale, room + (factors &+ 2 &* image &* line))
      }
      io.parallel(chunks) { range in
        for unit in range { apply(x, room + (factors &+ 2 &* (unit / blocks) &* line), bias, unit, y) }
      }
    }
  }

  private func measure(_ x: UnsafePointer<Float>, _ unit: Int, _ lines: UnsafeMutablePointer<Float>) {
    let (start, count) = place(unit)
    var args = dlk_channel_args()
    (args.rows, args.columns) = (Int64(count), Int64(channels))
    (args.x, args.x_row_stride, args.sums, args.squares) = (x + start, args.columns, lines, lines + line)
    kernels.table.pointee.channel_moments(&args)
  }

  /// The mean of each channel of an image, then the sum of the squares of what differs from it.
  @_optimize(speed)
  private func join(_ x: UnsafePointer<Float>, _ lines: UnsafePointer<Float>, _ total: UnsafeMutablePointer<Double>) {
    let (channels, pixels) = (self.channels, Double(self.pixels))
    let squares = total + line
    total.update(repeating: 0, count: 2 &* line)
    for block in 0..<blocks {
      let (start, count) = place(block)
      let (first, sums, weight) = (x + start, lines + 2 &* block &* line, Double(count))
      let ownSquares = sums + line
      for channel in 0..<channels {
        // About the image's first pixel, which is away by so much, the squares grow.
        let away = Double(first[channel]) - Double(x[channel]), sum = Double(sums[channel])
        total[channel] += sum + away * weight
        squares[channel] += Double(ownSquares[channel]) + away * (2 * sum + away * weight)
      }
    }
    for channel in 0..<channels {
      let mean = total[channel] / pixels
      squares[channel] = max(squares[channel] - mean * total[channel], 0)
      total[channel] = Double(x[channel]) + mean
    }
  }

  /// What to subtract from each channel, and the factor after that.
  private func finish(
    _ total: UnsafePointer<Double>, _ scale: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>
  ) {
    let count = channels / groups
    for group in 0..<groups {
      let range = group &* count..<(group &+ 1) &* count
      var (mean, squares) = (0.0, 0.0)
      for channel in range { mean += total[channel] }
      mean /= Double(count)
      for channel in range {
        let away = total[channel] - mean
        squares += total[line &+ channel] + away * away * Double(pixels)
      }
      let deviation = 1 / (squares / (Double(pixels) * Double(count)) + epsilon).squareRoot()
      for channel in range {
        result[channel] = Float(mean)
        result[line &+ channel] = Float(Double(scale[channel]) * deviation)
      }
    }
  }

  /// A few pixels at a time, which the activation finds in the nearest cache.
  private func apply(
    _ x: UnsafePointer<Float>, _ mean: UnsafePointer<Float>, _ bias: UnsafePointer<Float>, _ unit: Int,
    _ y: UnsafeMutablePointer<Float>
  ) {
    var (start, left) = place(unit)
    let few = activation.isIdentity ? left : max(1, 4096 / channels)
    var args = dlk_channel_args()
    (args.columns, args.x_row_stride, args.y_row_stride) = (Int64(channels), Int64(channels), Int64(channels))
    (args.mean, args.factor, args.bias) = (mean, mean + line, bias)
    while left > 0 {
      let count = min(few, left)
      (args.rows, args.x, args.y) = (Int64(count), x + start, y + start)
      kernels.table.pointee.channel_affine(&args)
      let elements = count &* channels
      if !activation.isIdentity {
        kernels.table.pointee.unary(
          activation.function, activation.a, activation.b, y + start, y + start, Int64(elements))
      }
      start = start &+ elements
      left = left &- count
    }
  }

  /// The first element and the pixels of a block, counted over images.
  private func place(_ unit: Int) -> (start: Int, count: Int) {
    let image = unit / blocks, first = (unit &- image &* blocks) &* Self.blockPixels
    return ((image &* pixels &+ first) &* channels, min(Self.blockPixels, pixels &- first))
  }
}
