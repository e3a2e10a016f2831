import DLRTGraph

/// What ConvInteger and QLinearConv share: operands widened to int16 less their zero points, and products of each
/// channel's weights with unfolded windows, a block of output rows at a time.
struct QuantizedConvolution: Sendable {
  private let problem: ConvolutionProblem
  private let unfolding: WindowUnfolding
  private let kernels: KernelSet
  private let x: Int
  private let w: Int
  private let xType: DataType
  private let wType: DataType
  private let wZeroStep: Int
  private let inputCount: Int
  /// Output rows of a block, and blocks of a plane.
  private let blockRows: Int
  private let blocks: Int
  /// Blocks run in so many lanes, each with memory of its own.
  private let lanes: Int

  /// Columns that keep a block within the second-level cache at usual sizes.
  private static let blockColumns = 256

  /// - Parameter wZero: the input that holds the weights' zero point, or one for each output channel.
  init(_ problem: ConvolutionProblem, _ planning: Planning, x: Int, w: Int, wZero: Int) {
    self.problem = problem
    kernels = planning.kernels
    (self.x, self.w) = (x, w)
    (xType, wType) = (planning.type(x), planning.type(w))
    wZeroStep = planning.input(wZero).count == 1 ? 0 : 1
    unfolding = WindowUnfolding(problem.geometry, channels: problem.inputChannels)
    inputCount = problem.batch &* problem.groups &* problem.inputChannels &* problem.geometry.inputSize
    let rows = unfolding.rows
    blockRows = max(1, min(Self.blockColumns / max(rows.width, 1), rows.count))
    blocks = (rows.count + blockRows - 1) / blockRows
    lanes = max(1, min(problem.batch * problem.groups * blocks, planning.threads))
  }

  var name: String { "\(kernels.isa.name)-int16-unfold" }

  var outputCount: Int {
    problem.batch &* problem.groups &* problem.outputChannels &* problem.geometry.outputSize
  }

  private func product(columns: Int) -> PairProduct {
    PairProduct(m: problem.outputChannels, n: columns, k: unfolding.height)
  }

  // The workspace holds the widened input, the widened weights in rows of whole pairs, and for each lane unfolded windows
  // and their panels.
  private var inputBytes: Int { (inputCount &* 2 &+ 63) & ~63 }
  private var weightPitch: Int { (unfolding.height &+ 1) & ~1 }
  private var weightBytes: Int { (problem.groups &* problem.outputChannels &* weightPitch &* 2 &+ 63) & ~63 }
  private var columnBytes: Int { (unfolding.height &* blockRows &* unfolding.rows.width &* 2 &+ 63) & ~63 }
  private var laneBytes: Int { columnBytes &+ product(columns: 1).packedWords &* 4 }
  var workspace: Int { inputBytes &+ weightBytes &+ lanes &* laneBytes }

  func run(
    _ io: borrowing StepIO, xZero: Int, wZero: Int, bias: UnsafePointer<Int32>?, y: UnsafeMutablePointer<Int32>
  ) {
    let input = io.workspace.assumingMemoryBound(to: Int16.self)
    let source = io.input(x, as: UInt8.self)
    let zero = io.hasInput(xZero) ? io.input(xZero, as: UInt8.self) : nil
    io.parallel(Chunks(inputCount, cost: 0.1, multiple: 64)) { range in
      ByteWidening.subtract(
        source + range.lowerBound, zero, 0, xType == .int8 ? 128 : 0, input + range.lowerBound, range.count)
    }
    let weights = (io.workspace + inputBytes).assumingMemoryBound(to: Int16.self)
    for channel in 0..<problem.groups &* problem.outputChannels {
      let zero = io.hasInput(wZero) ? io.input(wZero, as: UInt8.self) + channel &* wZeroStep : nil
      let row = weights + channel &* weightPitch
      if weightPitch > unfolding.height { row[unfolding.height] = 0 }
      ByteWidening.subtract(
        io.input(w, as: UInt8.self) + channel &* unfolding.height, zero, 0, wType == .int8 ? 128 : 0, row,
        unfolding.height)
    }
    let units = problem.batch &* problem.groups &* blocks
    let scratch = io.workspace + (inputBytes &+ weightBytes)
    io.parallel(lanes) { lane in
      for unit in stride(from: lane, to: units, by: lanes) {
        run(unit, input, weights, bias, y, scratch + lane &* laneBytes)
      }
    }
  }

  private func run(
    _ unit: Int, _ input: UnsafePointer<Int16>, _ weights: UnsafePointer<Int16>, _ bias: UnsafePointer<Int32>?,
    _ y: UnsafeMutablePointer<Int32>, _ scratch: UnsafeMutableRawPointer
  ) {
    let rows = unfolding.rows
    let plane = unit / blocks
    let first = unit % blocks &* blockRows
    let range = first..<min(first &+ blockRows, rows.count)
    let width = range.count &* rows.width
    let columns = scratch.assumingMemoryBound(to: Int16.self)
    unfolding.run(
      range, input + plane &* problem.inputChannels &* problem.geometry.inputSize, into: columns, size: 2)
    let channel = plane % problem.groups &* problem.outputChannels
    let outputSize = problem.geometry.outputSize
    let target = y + plane &* problem.outputChannels &* outputSize + first &* rows.width
    if let bias {
      for row in 0..<problem.outputChannels {
        (target + row &* outputSize).update(repeating: bias[channel &+ row], count: width)
      }
    }
    let product = product(columns: width)
    let words = (scratch + columnBytes).assumingMemoryBound(to: UInt32.self)
    for panel in 0..<product.panels {
      product.pack(columns, stride: width, panel: panel, into: words)
      product.run(
        kernels, weights + channel &* weightPitch, aRow: product.pairs, rows: problem.outputChannels, words,
        panel: panel, target, cRow: outputSize, adds: bias != nil)
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
