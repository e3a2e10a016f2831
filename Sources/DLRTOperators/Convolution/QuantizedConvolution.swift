import DLRTGraph

/// What ConvInteger and QLinearConv share: operands widened to int32 less their zero points, then plain loops.
struct QuantizedConvolution: Sendable {
  let problem: ConvolutionProblem
  private let loops: DirectConvolution<Int32>
  private let xType: DataType
  private let wType: DataType
  private let inputCount: Int
  private let weightCount: Int
  private let inputChunks: Chunks

  init(_ problem: ConvolutionProblem, xType: DataType, wType: DataType) {
    self.problem = problem
    self.xType = xType
    self.wType = wType
    loops = DirectConvolution(problem)
    inputCount = problem.batch &* problem.groups &* problem.inputChannels &* problem.geometry.inputSize
    weightCount =
      problem.groups &* problem.outputChannels &* problem.inputChannels &* problem.geometry.kernelSize
    inputChunks = Chunks(inputCount, cost: 0.2)
  }

  var outputCount: Int {
    problem.batch &* problem.groups &* problem.outputChannels &* problem.geometry.outputSize
  }

  /// Bytes for the widened operands.
  var workspace: Int { ((inputCount &+ weightCount) &* 4 &+ 63) & ~63 }

  /// Zero points are read from inputs of the operands' own types; `wZeroCount` is 1 or the number of output channels.
  func run(
    _ io: borrowing StepIO, x: Int, w: Int, xZero: Int, wZero: Int, wZeroCount: Int, bias: UnsafePointer<Int32>?,
    y: UnsafeMutablePointer<Int32>
  ) {
    let widenedX = io.workspace.assumingMemoryBound(to: Int32.self)
    let widenedW = widenedX + inputCount
    let xBytes = io.input(x)
    let xOffset = io.hasInput(xZero) ? Self.element(xType, io.input(xZero), 0) : 0
    io.parallel(inputChunks) { range in
      Self.widen(xType, xBytes, range, less: xOffset, into: widenedX)
    }
    let channels = problem.groups &* problem.outputChannels
    let perChannel = channels == 0 ? 0 : weightCount / channels
    for channel in 0..<channels {
      let index = wZeroCount == 1 ? 0 : channel
      let offset = io.hasInput(wZero) ? Self.element(wType, io.input(wZero), index) : 0
      let start = channel &* perChannel
      Self.widen(wType, io.input(w), start..<start &+ perChannel, less: offset, into: widenedW)
    }
    io.parallel(loops.chunks) { loops.run($0, x: widenedX, w: widenedW, bias: bias, y: y) }
  }

  @inline(__always)
  static func element(_ type: DataType, _ bytes: UnsafeRawPointer, _ index: Int) -> Int32 {
    type == .int8
      ? Int32(bytes.load(fromByteOffset: index, as: Int8.self))
      : Int32(bytes.load(fromByteOffset: index, as: UInt8.self))
  }

  private static func widen(
    _ type: DataType, _ source: UnsafeRawPointer, _ range: Range<Int>, less offset: Int32,
    into target: UnsafeMutablePointer<Int32>
  ) {
    if type == .int8 {
      let source = source.assumingMemoryBound(to: Int8.self)
      for index in range { target[index] = Int32(source[index]) &- offset }
    } else {
      let source = source.assumingMemoryBound(to: UInt8.self)
      for index in range { target[index] = Int32(source[index]) &- offset }
    }
  }

  /// Checks a scale or zero point that holds one number, or one for each output channel.
  static func checkPerChannel(
    _ inference: borrowing Inference, _ index: Int, channels: Dim
  ) throws {
    guard inference.has(index) else { return }
    let shape = try inference.shape(index)
    guard shape.rank <= 1, shape.rank == 0 || shape[0] == 1 || !shape[0].provablyDiffers(channels) else {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(index), expected: "a scalar or [\(channels)]",
        got: "\(shape)")
    }
  }

  /// Checks a scale or zero point of a whole tensor.
  static func checkScalar(_ inference: borrowing Inference, _ index: Int) throws {
    guard inference.has(index) else { return }
    let shape = try inference.shape(index)
    guard !shape.elementCount.provablyDiffers(1) else {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(index), expected: "a scalar", got: "\(shape)")
    }
  }
}
