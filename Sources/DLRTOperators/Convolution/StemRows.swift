import CKernelSupport
import DLRTGraph

/// A convolution of few channels, as networks for images begin, whose rows are made a few at a time for who uses them at
/// once. The rows of the image under them are copied first, with their padding, so that each row under a window is a
/// single run of memory.
final class StemRows: Sendable {
  let problem: ConvolutionProblem
  /// What is made, `[N, M, H′, W′]`.
  let image: [Int]
  private let op: ConvNHWC
  private let kernels: KernelSet
  private let copy: ImageCopy
  private let packing: WeightPacking
  private let weights: TensorStorage?
  private let input: Int

  /// Refuses an image of which only some rows are ever there, but whose places are counted: more than any memory holds.
  static func check(_ image: [Int]) throws {
    guard try Tensor.byteCount(.float32, image) <= 1 << 47 else {
      throw DLRTError(.limitExceeded, "the image between two convolutions is too large", got: "shape \(image)")
    }
  }

  /// - Parameter input: the weights', of the whole operator; their bias is the next one.
  init(_ op: ConvNHWC, weights input: Int, _ planning: Planning) throws {
    let shape = planning.shape(0), isChannelsFirst = op.isInputChannelsFirst
    guard op.attributes.group == 1 else {
      throw DLRTError(
        .invalidModel, "the convolution has groups", tensor: "group", expected: "1", got: "\(op.attributes.group)")
    }
    problem = try op.attributes.problem(x: isChannelsFirst ? shape : shape.channelsFirst, w: planning.shape(input))
    image = [problem.batch, problem.outputChannels] + problem.geometry.output
    try Self.check(image)
    copy = try ImageCopy(problem, isChannelsFirst: isChannelsFirst)
    packing = WeightPacking(problem, planning.kernels, .panels)
    weights = try planning.constant(input).map { [packing] in try packing.packed($0, planning).storage }
    kernels = planning.kernels
    self.op = op
    self.input = input
  }

  /// Where the packed weights are, if they are constant.
  var firstRead: UnsafeRawPointer? { weights.map { UnsafeRawPointer($0.base) } }
  /// Bytes that weights of a run are packed into.
  var weightBytes: Int { weights == nil ? packing.bytes : 0 }

  /// Floats that a thread needs to make so many rows at a time, in whole lines of the cache.
  func roomFloats(rows: Int) -> Int {
    let down = problem.geometry.axes[0]
    return (((max(rows, 1) &- 1) &* down.stride &+ down.extent) &* copy.rowFloats &+ 15) & ~15
  }

  /// What all calls of a run share.
  struct Call {
    fileprivate let x: UnsafePointer<Float>
    fileprivate let args: dlk_conv_args
  }

  /// - Parameter pixelStride: floats from a pixel that is made to the next.
  func call(_ io: borrowing StepIO, _ scratch: UnsafeMutableRawPointer, pixelStride: Int) -> Call {
    var args = dlk_conv_args()
    args.window = copy.window
    args.channels = Int64(problem.inputChannels)
    args.n = Int64(problem.outputChannels)
    args.groups = 1
    args.x_pixels = copy.pixels
    args.y_pixels = dlk_pixels(problem.geometry.output, pixelStride: pixelStride)
    args.interleaved = packing.interleaved
    args.weights = packing.weights(weights, io, input: input, at: scratch)
    // The copies hold their padding; there is no other.
    args.padding = args.weights
    args.epilogue.scale = 1
    args.epilogue.bias = io.hasInput(input + 1) ? io.input(input + 1, as: Float.self) : nil
    args.epilogue.activation = op.activation.function
    args.epilogue.a = op.activation.a
    args.epilogue.b = op.activation.b
    return Call(x: io.input(0, as: Float.self), args: args)
  }

  /// Makes rows of an image.
  ///
  /// - Parameters:
  ///   - target: where the first of them goes.
  ///   - room: `roomFloats` for as many.
  ///   - next: what is read of weights after them, if known.
  func make(
    _ call: Call, _ image: Int, _ rows: Range<Int>, to target: UnsafeMutablePointer<Float>,
    _ room: UnsafeMutablePointer<Float>, next: UnsafeRawPointer?
  ) {
    let (down, across) = (problem.geometry.axes[0], problem.geometry.axes[1])
    let width = across.output, panel = Int(kernels.table.pointee.gemm_panel)
    let first = rows.lowerBound &* down.stride
    copy.run(first..<first &+ (rows.count &- 1) &* down.stride &+ down.extent, kernels, call.x, image, room)
    var args = call.args
    args.next = next
    // The kernel counts rows over the whole copy, and pixels over the whole output.
    args.x = UnsafePointer(room - first &* copy.rowFloats)
    args.y = target - rows.lowerBound &* Int(args.y_pixels.row_stride)
    kernels.table.pointee.conv(
      &args, Int64(rows.lowerBound &* width), Int64(rows.upperBound &* width), 0,
      Int64((problem.outputChannels &+ panel &- 1) / panel))
  }
}
