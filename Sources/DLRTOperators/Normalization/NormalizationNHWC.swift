import CKernelSupport
import DLRTGraph

/// dlrt's InstanceNormalization and GroupNormalization with channels last: each group of adjacent channels of
/// X[N, spatial…, C] brought to mean 0 and variance 1 over its image, times scale[C], plus bias[C]. `num_groups` 0 stands
/// for groups of one channel. float32, and smaller floats through it.
package struct NormalizationNHWC: Operator {
  package static let schema = OperatorSchema(
    "NormalizationNHWC", domain: OperatorName.internalDomain, versions: [1],
    inputs: [("X", "T"), ("scale", "T"), ("bias", "T")], outputs: [("Y", "T")],
    types: ["T": [.halfFloats, .float32]])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let groups: Int
  private let epsilon: Float

  package init(_ attributes: inout AttributeReader) throws {
    groups = try attributes.int("num_groups", default: 0)
    epsilon = try attributes.float("epsilon", default: 1e-5)
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, try inference.type(0))
    let input = try inference.shape(0)
    guard input.rank >= 2 else {
      throw DLRTError(.invalidModel, "wrong rank", tensor: inference.name(0), expected: "at least 2", got: "\(input)")
    }
    if groups > 0, let channels = input[input.rank - 1].value, channels % groups != 0 {
      throw DLRTError(
        .invalidModel, "channels are no multiple of the groups", tensor: "num_groups",
        expected: "a divisor of \(channels)", got: "\(groups)")
    }
    try inference.checkVectors([1, 2], count: input[input.rank - 1])
    try inference.sameAsInput()
  }

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    if shape.contains(0) { return .nothing }
    let channels = shape[shape.count - 1]
    return PixelMoments(
      images: shape[0], pixels: shape.dropFirst().dropLast().reduce(1) { $0 &* $1 }, channels: channels,
      groups: groups == 0 ? channels : groups, epsilon: Double(epsilon), kernels: planning.kernels
    ).step(planning)
  }
}

/// Means and variances over the pixels of images whose channels are adjacent.
///
/// Images are cut into blocks of pixels that stay in the nearer caches. Of each block a mean is taken, then, of what differs
/// from it, sums and sums of squares, all in float32; blocks are joined in float64 (Chan, Golub and LeVeque 1979). So large
/// means lose nothing, and memory is read once.
private struct PixelMoments: Sendable {
  let images: Int
  let pixels: Int
  let channels: Int
  let groups: Int
  let epsilon: Double
  let kernels: KernelSet

  private var blockPixels: Int { max(16, 8192 / channels) }
  private var blocks: Int { (pixels &+ blockPixels &- 1) / blockPixels }
  /// Floats from the numbers of one kind for all channels to the next.
  private var line: Int { (channels &+ 15) & ~15 }

  func step(_ planning: Planning) -> Step {
    let (blocks, line) = (blocks, line)
    let chunks = Chunks(images &* blocks, cost: Double(min(pixels, blockPixels) &* channels) * 0.05)
    let scratch = (min(pixels, blockPixels) &* channels &+ 15) & ~15
    // Three lines for every block, two for every image, float64 sums of an image, and a block for every thread.
    let images = self.images
    let factors = 3 &* images &* blocks &* line
    let totals = factors &+ 2 &* images &* line
    let own = totals &+ 4 &* line
    return Step(
      kernel: "\(kernels.isa.name)-f32-moments", workspace: (own &+ planning.threads &* scratch) &* 4
    ) { [self] io in
      let (x, y) = (io.input(0, as: Float.self), io.output(0, as: Float.self))
      let (scale, bias) = (io.input(1, as: Float.self), io.input(2, as: Float.self))
      let room = io.workspace.assumingMemoryBound(to: Float.self)
      io.parallel(chunks.count) { index, thread in
        for unit in chunks[index] {
          measure(x, unit, room + 3 &* unit &* line, room + (own &+ thread &* scratch))
        }
      }
      let total = (io.workspace + totals &* 4).assumingMemoryBound(to: Double.self)
      for image in 0..<images {
        join(room + 3 &* image &* blocks &* line, total)
        finish(total, scale, room + (factors &+ 2 &* image &* line))
      }
      io.parallel(chunks) { range in
        for unit in range {
          let (start, count) = place(unit)
          let mean = room + (factors &+ 2 &* (unit / blocks) &* line)
          apply(DLK_BINARY_SUB, x + start, mean, count, y + start)
          apply(DLK_BINARY_MUL, y + start, mean + line, count, y + start)
          apply(DLK_BINARY_ADD, y + start, bias, count, y + start)
        }
      }
    }
  }

  /// A block's means, and the sums and sums of squares of what differs from them.
  private func measure(
    _ x: UnsafePointer<Float>, _ unit: Int, _ lines: UnsafeMutablePointer<Float>, _ block: UnsafeMutablePointer<Float>
  ) {
    let (start, count) = place(unit)
    reduce(DLK_REDUCE_MEAN, x + start, count, lines)
    apply(DLK_BINARY_SUB, x + start, lines, count, block)
    reduce(DLK_REDUCE_SUM, block, count, lines + line)
    reduce(DLK_REDUCE_SUM_SQUARE, block, count, lines + 2 &* line)
  }

  /// The mean of each channel of an image, then the sum of the squares of what differs from it.
  private func join(_ lines: UnsafePointer<Float>, _ total: UnsafeMutablePointer<Double>) {
    let squares = total + line
    total.update(repeating: 0, count: 2 &* line)
    for block in 0..<blocks {
      let (mean, count) = (lines + 3 &* block &* line, Double(place(block).count))
      for channel in 0..<channels { total[channel] += Double(mean[channel]) * count + Double(mean[line &+ channel]) }
    }
    for channel in 0..<channels { total[channel] /= Double(pixels) }
    for block in 0..<blocks {
      let (mean, count) = (lines + 3 &* block &* line, Double(place(block).count))
      for channel in 0..<channels {
        // About another centre, by so much away, the squares grow.
        let (away, sum) = (Double(mean[channel]) - total[channel], Double(mean[line &+ channel]))
        squares[channel] += Double(mean[2 &* line &+ channel]) + away * (2 * sum + away * count)
      }
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

  /// The first element and the pixels of a block, counted over images.
  private func place(_ unit: Int) -> (start: Int, count: Int) {
    let image = unit / blocks, first = (unit &- image &* blocks) &* blockPixels
    return ((image &* pixels &+ first) &* channels, min(blockPixels, pixels &- first))
  }

  private func reduce(
    _ function: dlk_reduction, _ x: UnsafePointer<Float>, _ rows: Int, _ sums: UnsafeMutablePointer<Float>
  ) {
    var args = dlk_reduce_args()
    args.function = function
    (args.rows, args.columns) = (Int64(rows), Int64(channels))
    (args.x, args.x_row_stride, args.y) = (x, Int64(channels), sums)
    kernels.table.pointee.reduce_columns(&args, 0, args.columns)
  }

  private func apply(
    _ function: dlk_binary, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ rows: Int,
    _ out: UnsafeMutablePointer<Float>
  ) {
    var args = dlk_binary_args()
    args.function = function
    (args.rows, args.columns) = (Int64(rows), Int64(channels))
    (args.x, args.x_row_stride, args.x_column_stride) = (x, args.columns, 1)
    (args.y, args.y_row_stride, args.y_column_stride) = (y, 0, 1)
    (args.out, args.out_row_stride) = (out, args.columns)
    kernels.table.pointee.binary(&args)
  }
}
