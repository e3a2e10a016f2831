import CKernelSupport
import DLRTGraph

/// dlrt's convolution of few channels with the pool after it, as networks for images begin: Y = pool(f(X ⋆ W + B)).
///
/// X[N, H, W, C] or, with `channels_first`, [N, C, H, W]; W[M, C, kernel…]; Y[N, H″, W″, M]; float32, and smaller floats
/// through it. The attributes are ConvNHWC's, and PoolNHWC's with a prefix. What lies between the two is never in memory
/// as a whole: a few rows at a time are made and used.
package struct PooledConvNHWC: Operator {
  package static let schema = OperatorSchema(
    "PooledConvNHWC", domain: OperatorName.internalDomain, versions: [1],
    inputs: [("X", "T"), ("W", "T"), ("B?", "T")], outputs: [("Y", "T")], types: ["T": [.halfFloats, .float32]])
  package static var promotedTypes: TypeSet { .halfFloats }

  /// Of the names of the pool's attributes.
  package static let poolPrefix = "pool_"

  let convolution: ConvNHWC
  let pool: PoolNHWC

  package init(_ attributes: inout AttributeReader) throws {
    convolution = try ConvNHWC(&attributes)
    pool = try PoolNHWC(&attributes, prefix: Self.poolPrefix)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let given = try inference.shape(0, rank: 4)
    let input = convolution.isInputChannelsFirst ? given : given.channelsFirst
    let image = try convolution.attributes.output(input, try inference.shape(1), inference)
    inference.set(0, type, try pool.pool.output(image, inference).channelsLast)
  }

  package func imageInputs(_ ranks: [Int]) -> [Int] { [0] }

  package func writes(_ view: StridedView, _ planning: Planning) -> Bool { view.hasPixels(planning.output(0)) }

  package func plan(_ planning: inout Planning) throws -> Step {
    if planning.output(0).count == 0 { return .nothing }
    return try PooledConvolution(self, planning).step()
  }
}

/// How a PooledConvNHWC runs: bands of the pool's rows, for each of which those rows of the convolution that are new are
/// made in a ring.
private final class PooledConvolution: Sendable {
  private let op: PooledConvNHWC
  private let kernels: KernelSet
  private let stem: StemRows
  private let pooling: ConvolutionGeometry
  private let bands: RowBands
  private let yPlace: PixelPlace
  private let threads: Int

  /// What a band leaves in the second-level cache, of which little else takes a part.
  private static let cacheBytes = 512 << 10

  init(_ op: PooledConvNHWC, _ planning: Planning) throws {
    self.op = op
    kernels = planning.kernels
    threads = planning.threads
    stem = try StemRows(op.convolution, weights: 1, planning)
    pooling = try op.pool.pool.geometry(stem.image)
    yPlace = PixelPlace(planning.output(0))
    let (down, across) = (pooling.axes[0], pooling.axes[1])
    bands = RowBands(
      down, images: stem.problem.batch,
      bytesPerRow: Double(down.stride) * Double(across.input) * Double(stem.problem.outputChannels) * 4,
      cacheBytes: Self.cacheBytes,
      threads: planning.threads)
  }

  private var channels: Int { stem.problem.outputChannels }
  /// Floats of a row of the convolution.
  private var rowFloats: Int { pooling.axes[1].input &* channels }

  func step() -> Step {
    var scratch = Scratch()
    let weightsPlace = scratch.reserve(stem.weightBytes)
    let rooms = bands.parts.count > 1 ? threads : 1
    let ringFloats = (bands.ring &* rowFloats &+ 15) & ~15
    let roomFloats = ringFloats &+ stem.roomFloats(rows: bands.ring)
    let roomPlace = scratch.reserve(rooms &* roomFloats &* 4)
    let reachedPlace = scratch.reserve(rooms &* MemoryLayout<RowBands.Reached>.stride)
    return Step(
      kernel: "\(kernels.isa.name)-f32-conv-pooled", flops: stem.problem.flops, workspace: scratch.size,
      skippedInputs: stem.firstRead == nil ? [] : [1], firstRead: stem.firstRead
    ) { [self] io in
      let convolution = stem.call(io, io.workspace + weightsPlace, pixelStride: channels)
      let pool = poolArguments()
      let y = io.output(0, as: Float.self) + yPlace.offset
      let room = (io.workspace + roomPlace).assumingMemoryBound(to: Float.self)
      let reached = (io.workspace + reachedPlace).assumingMemoryBound(to: RowBands.Reached.self)
      reached.initialize(repeating: RowBands.Reached(), count: rooms)
      let upcoming = io.upcoming
      io.parallel(bands.parts.count) { part, thread in
        let ring = room + thread &* roomFloats
        let next = io.isLast(part, of: bands.parts.count) ? upcoming : nil
        bands.run(bands.parts[part], &reached[thread]) { image, rows, isLast in
          stem.make(
            convolution, image, rows, to: ring + rows.lowerBound % bands.ring &* rowFloats, ring + ringFloats,
            next: isLast ? next : nil)
        } use: { image, rows, _ in
          var own = pool
          own.x = UnsafePointer(ring)
          own.y = y + image &* pooling.outputSize &* yPlace.stride
          kernels.table.pointee.pool(&own, Int64(rows.lowerBound), Int64(rows.upperBound))
        }
      }
    }
  }

  private func poolArguments() -> dlk_pool_args {
    var args = dlk_pool_args()
    args.function = op.pool.pooling
    args.window = pooling.kernelWindow
    args.channels = Int64(channels)
    args.x_pixels = dlk_pixels(pooling.input, pixelStride: channels)
    args.y_pixels = dlk_pixels(pooling.output, pixelStride: yPlace.stride)
    args.x_ring = Int64(bands.ring)
    return args
  }
}
