import CKernelSupport
import DLRTGraph

/// What ConvInteger, QLinearConv and products of bytes share: exact convolutions of bytes, with channels last and by
/// fours.
final class ByteConvolution: Sendable {
  /// Which inputs hold what.
  struct Roles: Sendable {
    let x: Int
    let xZero: Int
    let w: Int
    let wZero: Int
    /// What makes bytes of the sums.
    var result: Result?

    struct Result: Sendable {
      let bias: Int?
      let xScale: Int
      let wScale: Int
      let scale: Int
      let zero: Int
    }
  }

  private let problem: ConvolutionProblem
  private let kernels: KernelSet
  private let roles: Roles
  private let packing: BytePacking
  private let copy: ByteImageCopy?
  private let turnsResult: Bool
  private let xType: DataType
  private let yType: DataType
  private let wScaleStep: Int
  /// Scales and biases where the kernel looks for them, if all that makes them is known.
  private let fixed: (scales: [Float], biases: [Int32])?

  /// - Parameters:
  ///   - xLast: x has channels last.
  ///   - yLast: y has.
  ///   - isMatrix: w is `[C, M]`, the second operand of a product.
  init(
    _ problem: ConvolutionProblem, _ planning: Planning, _ roles: Roles, xLast: Bool, yLast: Bool,
    isMatrix: Bool = false
  ) throws {
    guard problem.geometry.axes.count <= ConvolutionGeometry.mostKernelAxes else {
      throw DLRTError(
        .unsupportedModel, "too many spatial axes", expected: "at most \(ConvolutionGeometry.mostKernelAxes)",
        got: "\(problem.geometry.axes.count)")
    }
    self.problem = problem
    self.roles = roles
    kernels = planning.kernels
    (xType, yType) = (planning.type(roles.x), planning.outputType(0))
    packing = BytePacking(problem, planning, w: roles.w, zero: roles.wZero, isMatrix: isMatrix)
    copy = ByteImageCopy(problem, kernels, isChannelsLast: xLast, words: packing.words)
    turnsResult = !yLast
    wScaleStep = roles.result.map { planning.input($0.wScale).count == 1 ? 0 : 1 } ?? 0
    fixed = roles.result.flatMap { [packing, wScaleStep] in Self.fix($0, packing, wScaleStep, planning) }
  }

  private static func fix(
    _ result: Roles.Result, _ packing: BytePacking, _ wScaleStep: Int, _ planning: Planning
  ) -> (scales: [Float], biases: [Int32])? {
    guard let x = planning.constant(result.xScale), let w = planning.constant(result.wScale),
      let y = planning.constant(result.scale), x.count > 0, y.count > 0
    else { return nil }
    var bias: Tensor?
    if let index = result.bias, planning.has(index) {
      bias = planning.constant(index)
      if bias == nil { return nil }
    }
    let channels = packing.channels, factors = w.elements(Float.self), numbers = bias?.elements(Int32.self)
    guard factors.count >= (wScaleStep == 0 ? 1 : channels), numbers.map({ $0.count >= channels }) ?? true else {
      return nil
    }
    let (first, last) = (x.elements(Float.self)[0], y.elements(Float.self)[0])
    var scales = [Float](repeating: 0, count: packing.slots), biases = [Int32](repeating: 0, count: packing.slots)
    spread(packing, x: first, w: factors, wScaleStep, y: last, bias: numbers, &scales, &biases)
    return (scales, biases)
  }

  /// Puts x · w / y and the bias of each channel where the kernel looks for them, and zeros elsewhere.
  private static func spread(
    _ packing: BytePacking, x: Float, w: UnsafePointer<Float>, _ wScaleStep: Int, y: Float,
    bias: UnsafePointer<Int32>?, _ scales: UnsafeMutablePointer<Float>, _ biases: UnsafeMutablePointer<Int32>
  ) {
    scales.update(repeating: 0, count: packing.slots)
    biases.update(repeating: 0, count: packing.slots)
    for channel in 0..<packing.channels {
      let slot = packing.slot(channel)
      scales[slot] = x * w[channel &* wScaleStep] / y
      if let bias { biases[slot] = bias[channel] }
    }
  }

  private var name: String { "\(kernels.isa.name)-byte-\(packing.isDepthwise ? "depthwise" : "conv")" }
  private var channels: Int { packing.channels }
  /// What takes as long with floats. Threads meet for little, as the steps of quantised networks are short.
  private var effort: Int {
    packing.isDepthwise ? problem.flops.multipliedReportingOverflow(by: 4).partialValue : problem.flops / 2
  }
  private var outputSize: Int { problem.geometry.outputSize }

  func step(_ planning: Planning) throws -> Step {
    if planning.output(0).count == 0 { return .nothing }
    let weights = try packing.packed(planning)
    let geometry = problem.geometry
    if copy != nil {
      try WindowAxis.checkCopy(geometry.axes, images: problem.batch, pixelBytes: packing.pixelWords &* 4)
    }
    var base = dlk_byte_window_args()
    base.window = copy?.window ?? geometry.kernelWindow
    base.words = Int64(packing.words)
    base.n = Int64(packing.isDepthwise ? problem.groups : problem.outputChannels)
    base.parts = Int64(packing.parts)
    base.shifts = Int64(packing.shifts)
    base.fours = Int64(packing.fours)
    base.is_x_signed = xType == .int8 ? 1 : 0
    base.is_y_signed = yType == .int8 ? 1 : 0
    base.x_pixels = copy?.pixels ?? dlk_pixels(geometry.input, pixelStride: packing.pixelWords)
    base.y_pixels = dlk_pixels(geometry.output, pixelStride: channels)
    let template = ByteWindowArguments(value: base)
    let cut = ConvolutionCut(
      pixels: outputSize, panels: packing.panels, images: problem.batch &* packing.calls,
      pixelBytes: problem.inputChannels &* geometry.axes.map(\.stride).product, flops: effort, planning)

    let size = yType.size
    let padding = Region(after: 0, bytes: max(geometry.axes.last?.kernel ?? 1, 1) &* packing.words &* 4)
    let starts = Region(after: padding.end, bytes: packing.slots &* 4)
    let scales = Region(after: starts.end, bytes: packing.slots &* 4)
    let scratch = Region(after: scales.end, bytes: weights == nil ? packing.bytes : 0)
    let images = Region(after: scratch.end, bytes: copy.map { $0.bytes &* problem.batch } ?? 0)
    let result = Region(after: images.end, bytes: turnsResult ? problem.batch &* outputSize &* channels &* size : 0)
    let inputBytes = copy?.bytes ?? geometry.inputSize &* packing.pixelWords &* 4
    var step = Step(kernel: name, flops: problem.flops, workspace: result.end) { [self] io in
      let workspace = io.workspace
      let packed = packing.weights(weights, io, at: workspace + scratch.start)
      let xZero = io.hasInput(roles.xZero) ? io.input(roles.xZero, as: UInt8.self)[0] : 0
      var x = io.input(roles.x)
      if let copy {
        copy.run(io, x, xZero, workspace + images.start)
        x = UnsafeRawPointer(workspace + images.start)
      }
      (workspace + padding.start).initializeMemory(as: UInt8.self, repeating: xZero, count: padding.bytes)
      var args = template.value
      prepare(
        io, packing.sums(packed), xZero, (workspace + starts.start).assumingMemoryBound(to: Int32.self),
        (workspace + scales.start).assumingMemoryBound(to: Float.self))
      args.padding = UnsafeRawPointer(workspace + padding.start)
      args.start = UnsafePointer((workspace + starts.start).assumingMemoryBound(to: Int32.self))
      if let result = roles.result {
        args.scale = UnsafePointer((workspace + scales.start).assumingMemoryBound(to: Float.self))
        args.zero =
          yType == .int8
          ? Int32(io.input(result.zero, as: Int8.self)[0]) : Int32(io.input(result.zero, as: UInt8.self)[0])
      }
      let y = turnsResult ? workspace + result.start : io.output(0)
      io.parallel(cut.count) { index in
        let part = cut[index]
        let (image, group) = (part.image / packing.calls, part.image % packing.calls)
        var own = args
        own.x = x + (image &* inputBytes &+ group &* packing.words &* 4)
        own.y = y + (image &* outputSize &* channels &+ group &* problem.outputChannels) &* size
        own.weights = packed + group &* packing.groupBytes
        own.start += group &* packing.groupSlots
        if let scale = own.scale { own.scale = scale + group &* packing.groupSlots }
        let (first, end) = (Int64(part.pixels.lowerBound), Int64(part.pixels.upperBound))
        if packing.isDepthwise {
          kernels.table.pointee.byte_depthwise(&own, first, end)
        } else {
          kernels.table.pointee.byte_conv(
            &own, first, end, Int64(part.panels.lowerBound), Int64(part.panels.upperBound))
        }
      }
      if turnsResult { turn(io, y, io.output(0), size) }
    }
    if weights != nil { step.skippedInputs = [roles.w] }
    return step
  }

  /// Where sums start, the bias less what x's zero point adds, and what they are multiplied by.
  private func prepare(
    _ io: borrowing StepIO, _ sums: UnsafePointer<Int32>, _ xZero: UInt8, _ starts: UnsafeMutablePointer<Int32>,
    _ scales: UnsafeMutablePointer<Float>
  ) {
    let zero = Int32(xType == .int8 ? xZero ^ 0x80 : xZero)
    if let fixed {
      fixed.biases.withUnsafeBufferPointer { biases in
        if let biases = biases.baseAddress { startSums(starts, biases, sums, zero, packing.slots) }
      }
      return fixed.scales.withUnsafeBufferPointer { from in
        if let from = from.baseAddress { scales.update(from: from, count: packing.slots) }
      }
    }
    if let result = roles.result {
      let bias = result.bias.flatMap { io.hasInput($0) ? io.input($0, as: Int32.self) : nil }
      Self.spread(
        packing, x: io.input(result.xScale, as: Float.self)[0], w: io.input(result.wScale, as: Float.self), wScaleStep,
        y: io.input(result.scale, as: Float.self)[0], bias: bias, scales, starts)
    } else {
      starts.update(repeating: 0, count: packing.slots)
    }
    startSums(starts, starts, sums, zero, packing.slots)
  }

  /// Brings the result from channels last to channels first.
  private func turn(_ io: borrowing StepIO, _ y: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ size: Int) {
    let image = outputSize &* channels &* size
    let chunks = Chunks(problem.batch &* channels, cost: Double(outputSize), multiple: 32)
    io.parallel(chunks) { range in
      var channel = range.lowerBound
      while channel < range.upperBound {
        let number = channel / channels
        let end = min(range.upperBound, (number &+ 1) &* channels)
        var args = dlk_transpose_args(
          rows: Int64(outputSize), columns: Int64(channels), element_bytes: Int64(size), x: y + number &* image,
          x_row_stride: Int64(channels), y: target + number &* image, y_row_stride: Int64(outputSize), fills: 0)
        kernels.table.pointee.transpose(
          &args, 0, args.rows, Int64(channel &- number &* channels), Int64(end &- number &* channels))
        channel = end
      }
    }
  }

  /// Checks a scale or zero point that holds one number, or one for each output channel.
  static func checkPerChannel(_ inference: borrowing Inference, _ index: Int, channels: Dim) throws {
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

/// Where sums start. Free, so that it stays compiled for speed: see docs/architecture.md.
@_optimize(speed) @inline(never)
private func startSums(
  _ starts: UnsafeMutablePointer<Int32>, _ biases: UnsafePointer<Int32>, _ sums: UnsafePointer<Int32>, _ zero: Int32,
  _ count: Int
) {
  for slot in 0..<count { starts[slot] = biases[slot] &- zero &* sums[slot] }
}

/// A part of a step's workspace.
private struct Region {
  let start: Int
  let bytes: Int
  var end: Int { start &+ bytes }

  init(after end: Int, bytes: Int) {
    start = (end &+ 63) & ~63
    self.bytes = bytes
  }
}

/// The part of the arguments that is the same in every run.
private struct ByteWindowArguments: @unchecked Sendable { let value: dlk_byte_window_args }
