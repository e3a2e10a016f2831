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
  /// Of X at most: with more, the copy that this makes of each image is not worth it.
  package static let mostChannels = PixelConvolution.fewChannels

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

  package var imageInputs: [Int] { [0] }

  package func writes(_ view: StridedView, _ planning: Planning) -> Bool { view.hasPixels(planning.output(0)) }

  package func plan(_ planning: inout Planning) throws -> Step {
    if planning.output(0).count == 0 { return .nothing }
    guard convolution.attributes.group == 1 else {
      throw DLRTError(
        .invalidModel, "the convolution has groups", tensor: "group", expected: "1",
        got: "\(convolution.attributes.group)")
    }
    return try PooledConvolution(self, planning).step()
  }
}

/// How a PooledConvNHWC runs: bands of the pool's rows, for each of which those rows of the convolution that are new are
/// made in a ring.
private final class PooledConvolution: Sendable {
  private let op: PooledConvNHWC
  private let kernels: KernelSet
  private let problem: ConvolutionProblem
  private let pooling: ConvolutionGeometry
  private let copy: ImageCopy
  private let packing: WeightPacking
  private let weights: TensorStorage?
  private let bands: RowBands
  private let yPlace: PixelPlace
  private let threads: Int

  /// More than any memory holds, though only some rows of it are ever there.
  private static let mostBytes = 1 << 47
  /// What a band leaves in the second-level cache, of which little else takes a part.
  private static let cacheBytes = 512 << 10

  init(_ op: PooledConvNHWC, _ planning: Planning) throws {
    self.op = op
    kernels = planning.kernels
    threads = planning.threads
    let shape = planning.shape(0), isChannelsFirst = op.convolution.isInputChannelsFirst
    problem = try op.convolution.attributes.problem(
      x: isChannelsFirst ? shape : shape.channelsFirst, w: planning.shape(1))
    let image = [problem.batch, problem.outputChannels] + problem.geometry.output
    guard try Tensor.byteCount(.float32, image) <= Self.mostBytes else {
      throw DLRTError(.limitExceeded, "the image between convolution and pool is too large", got: "shape \(image)")
    }
    pooling = try op.pool.pool.geometry(image)
    copy = try ImageCopy(problem, isChannelsFirst: isChannelsFirst)
    packing = WeightPacking(problem, kernels, .panels)
    weights = try planning.constant(1).map { [packing] in try packing.packed($0, planning).storage }
    yPlace = PixelPlace(planning.output(0))
    let (down, across) = (pooling.axes[0], pooling.axes[1])
    bands = RowBands(
      down, images: problem.batch,
      bytesPerRow: Double(down.stride) * Double(across.input) * Double(problem.outputChannels) * 4,
      cacheBytes: Self.cacheBytes, threads: planning.threads)
  }

  /// Floats of a row of the convolution.
  private var rowFloats: Int { pooling.axes[1].input &* problem.outputChannels }

  func step() -> Step {
    var scratch = Scratch()
    let weightsPlace = scratch.reserve(weights == nil ? packing.bytes : 0)
    let imagesPlace = scratch.reserve(copy.bytes &* problem.batch)
    let rooms = bands.parts.count > 1 ? threads : 1
    let roomFloats = (bands.ring &* rowFloats &+ 15) & ~15
    let roomPlace = scratch.reserve(rooms &* roomFloats &* 4)
    let reachedPlace = scratch.reserve(rooms &* MemoryLayout<RowBands.Reached>.stride)
    return Step(
      kernel: "\(kernels.isa.name)-f32-conv-pooled", flops: problem.flops, workspace: scratch.size,
      skippedInputs: weights == nil ? [] : [1], firstRead: weights.map { UnsafeRawPointer($0.base) }
    ) { [self] io in
      let images = (io.workspace + imagesPlace).assumingMemoryBound(to: Float.self)
      copy.run(io, kernels, io.input(0, as: Float.self), images)
      let convolution = convolutionArguments(io, io.workspace + weightsPlace)
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
          convolve(
            convolution, UnsafePointer(images) + image &* copy.floats, rows, ring, next: isLast ? next : nil)
        } use: { image, rows, _ in
          var own = pool
          own.x = UnsafePointer(ring)
          own.y = y + image &* pooling.outputSize &* yPlace.stride
          kernels.table.pointee.pool(&own, Int64(rows.lowerBound), Int64(rows.upperBound))
        }
      }
    }
  }

  private func convolutionArguments(_ io: borrowing StepIO, _ scratch: UnsafeMutableRawPointer) -> dlk_conv_args {
    let activation = op.convolution.activation
    var args = dlk_conv_args()
    args.window = copy.window
    args.channels = Int64(problem.inputChannels)
    args.n = Int64(problem.outputChannels)
    args.groups = 1
    args.x_pixels = copy.pixels
    args.y_pixels = dlk_pixels(problem.geometry.output, pixelStride: problem.outputChannels)
    args.weights = packing.weights(weights, io, at: scratch)
    // The copies hold their padding; there is no other.
    args.padding = args.weights
    args.epilogue.scale = 1
    args.epilogue.bias = io.hasInput(2) ? io.input(2, as: Float.self) : nil
    args.epilogue.activation = activation.function
    args.epilogue.a = activation.a
    args.epilogue.b = activation.b
    return args
  }

  private func poolArguments() -> dlk_pool_args {
    var args = dlk_pool_args()
    args.function = op.pool.pooling
    args.window = pooling.kernelWindow
    args.channels = Int64(problem.outputChannels)
    args.x_pixels = dlk_pixels(pooling.input, pixelStride: problem.outputChannels)
    args.y_pixels = dlk_pixels(pooling.output, pixelStride: yPlace.stride)
    args.x_ring = Int64(bands.ring)
    return args
  }

  /// Rows that are adjacent in the ring.
  private func convolve(
    _ arguments: dlk_conv_args, _ image: UnsafePointer<Float>, _ rows: Range<Int>, _ ring: UnsafeMutablePointer<Float>,
    next: UnsafeRawPointer?
  ) {
    let width = pooling.axes[1].input, panel = Int(kernels.table.pointee.gemm_panel)
    var args = arguments
    args.x = image
    args.next = next
    // The kernel counts pixels over the whole output.
    args.y = ring + (rows.lowerBound % bands.ring &- rows.lowerBound) &* rowFloats
    kernels.table.pointee.conv(
      &args, Int64(rows.lowerBound &* width), Int64(rows.upperBound &* width), 0,
      Int64((problem.outputChannels &+ panel &- 1) / panel))
  }
}
