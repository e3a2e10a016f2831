import CKernelSupport
import DLRTGraph

/// How a ConvNHWC runs: which kernel, how weights are packed, how the work is cut.
final class PixelConvolution: Sendable {
  let problem: ConvolutionProblem
  let kernels: KernelSet
  private let op: ConvNHWC
  private let method: Method
  private let hasAddend: Bool
  /// How a `product` is made in pairs.
  private let pairs: PairedProducts?
  let xPlace: PixelPlace
  let yPlace: PixelPlace
  let wantsImage: Bool
  let wantsPooled: Bool

  private enum Method: Sendable {
    /// Each channel by itself, or groups of a few channels.
    case depthwise
    /// 1 × 1 without stride: one matrix product over the pixels of all images, or of each if its channels have factors.
    case product
    /// Rows of pixels under the window, group by group.
    case window
    /// As `window`, over a copy of the image with its padding, whose window rows are single runs of memory.
    case copiedWindow
    /// Tiles of so many outputs a side, transformed.
    case winograd(tile: Int)
  }

  init(_ problem: ConvolutionProblem, _ op: ConvNHWC, _ planning: Planning) throws {
    self.problem = problem
    self.op = op
    kernels = planning.kernels
    hasAddend = planning.has(3)
    (xPlace, yPlace) = (PixelPlace(planning.input(0)), PixelPlace(planning.output(0)))
    (wantsImage, wantsPooled) = (planning.wants(output: 0), planning.wants(output: 1))
    let geometry = problem.geometry
    let isPlanar = geometry.axes.dropLast(2).isEmpty
    let isCopied = isPlanar && problem.groups == 1 && problem.inputChannels <= ConvNHWC.fewChannels
    if wantsPooled {
      guard ConvNHWC.mayPool(problem), !op.isInputChannelsFirst, planning.constant(1) != nil, !planning.has(4) else {
        throw DLRTError(.internalError, "this convolution pools nothing")
      }
      method = .winograd(tile: WinogradChoice.tile(for: problem, joinsGroups: false, isa: kernels.isa) ?? 4)
    } else if Self.hasSmallGroups(problem, kernels), !hasAddend, !op.isInputChannelsFirst {
      method = .depthwise
    } else if isCopied, op.isInputChannelsFirst || !geometry.isPointwise {
      method = .copiedWindow
    } else if op.isInputChannelsFirst {
      throw DLRTError(.internalError, "this convolution reads no channels-first input")
    } else if geometry.isPointwise, problem.groups == 1 {
      method = .product
    } else if planning.has(4) {
      throw DLRTError(.internalError, "this convolution multiplies its input by no factors")
    } else if planning.constant(1) != nil,
      let tile = WinogradChoice.tile(
        for: problem, joinsGroups: Self.joinsGroups(problem, kernels), isa: kernels.isa)
    {
      method = .winograd(tile: tile)
    } else {
      method = .window
    }
    // Factors of its channels change the weights.
    pairs =
      if case .product = method, planning.constant(1) != nil, !planning.has(4) {
        PairedProducts(
          m: geometry.outputSize, most: problem.batch &* geometry.outputSize, n: problem.outputChannels,
          k: problem.inputChannels, addsLast: hasAddend && op.isAddendLast, kernels)
      } else {
        nil
      }
  }

  /// One channel a group, or whole groups in a vector that can be permuted; not more channels in than out.
  private static func hasSmallGroups(_ problem: ConvolutionProblem, _ kernels: KernelSet) -> Bool {
    let vector = Int(kernels.table.pointee.vector_floats)
    let (inputs, outputs) = (problem.inputChannels, problem.outputChannels)
    guard problem.groups > 1, inputs > 0, inputs <= outputs else { return false }
    return outputs == 1 || vector >= 8 && inputs < vector && vector % outputs == 0
  }

  /// Small groups are taken together, as panels.
  private static func joinsGroups(_ problem: ConvolutionProblem, _ kernels: KernelSet) -> Bool {
    problem.groups > 1 && problem.outputChannels <= Int(kernels.table.pointee.gemm_panel)
  }

  func x(_ io: borrowing StepIO) -> UnsafePointer<Float> { io.input(0, as: Float.self) + xPlace.offset }
  func y(_ io: borrowing StepIO) -> UnsafeMutablePointer<Float> { io.output(0, as: Float.self) + yPlace.offset }
  var inputChannels: Int { problem.groups &* problem.inputChannels }
  var outputChannels: Int { problem.groups &* problem.outputChannels }
  var panels: Int { (problem.outputChannels &+ panelWidth &- 1) / panelWidth }
  private var panelWidth: Int { Int(kernels.table.pointee.gemm_panel) }

  private var layout: WeightPacking.Layout {
    switch method {
    case .depthwise: .taps
    case .product: pairs == nil ? .panels : .pairs
    case .window, .copiedWindow: .panels
    case .winograd(let tile): .winograd(tile: tile)
    }
  }

  func step(_ planning: Planning) throws -> Step {
    if planning.output(0).count == 0, planning.output(1).count == 0 { return .nothing }
    let packing = WeightPacking(problem, kernels, layout)
    let packed = try planning.constant(1).map { try packing.packed($0, planning) }
    let weights = packed?.storage
    var step =
      switch method {
      case .depthwise: depthwise(weights, packing)
      case .product: product(weights, packing, planning)
      case .window: window(weights, packing, planning, copy: nil)
      case .copiedWindow:
        window(weights, packing, planning, copy: try ImageCopy(problem, isChannelsFirst: op.isInputChannelsFirst))
      case .winograd(let tile): winograd(tile: tile, packed, packing, planning)
      }
    step.flops = problem.flops
    if let weights {
      step.skippedInputs = [1]
      if case .depthwise = method {} else { step.firstRead = UnsafeRawPointer(weights.base) }
    }
    return step
  }

  func name(_ method: String) -> String { "\(kernels.isa.name)-f32-\(method)" }

  func epilogue(_ io: borrowing StepIO) -> dlk_epilogue {
    var epilogue = dlk_epilogue()
    epilogue.scale = 1
    epilogue.bias = io.hasInput(2) ? io.input(2, as: Float.self) : nil
    epilogue.activation = op.activation.function
    epilogue.a = op.activation.a
    epilogue.b = op.activation.b
    if hasAddend {
      epilogue.addend = io.input(3, as: Float.self)
      epilogue.addend_row_stride = Int64(outputChannels)
      epilogue.addend_scale = 1
      epilogue.addend_last = op.isAddendLast ? 1 : 0
    }
    return epilogue
  }
}

// MARK: Depthwise

extension PixelConvolution {
  private func depthwise(_ weights: TensorStorage?, _ packing: WeightPacking) -> Step {
    let geometry = problem.geometry
    let window = geometry.kernelWindow
    let cut = DepthwiseCut(problem)
    let (inputSize, outputSize) = (geometry.inputSize &* xPlace.stride, geometry.outputSize &* yPlace.stride)
    let (xPixels, yPixels) = (
      dlk_pixels(geometry.input, pixelStride: xPlace.stride), dlk_pixels(geometry.output, pixelStride: yPlace.stride)
    )
    return Step(
      kernel: name(problem.outputChannels == 1 ? "depthwise" : "grouped"), workspace: weights == nil ? packing.bytes : 0
    ) { [self] io in
      let (x, y) = (self.x(io), self.y(io))
      var args = dlk_depthwise_args()
      args.window = window
      args.channels = Int64(outputChannels)
      args.group = Int64(problem.outputChannels)
      args.inputs = Int64(problem.inputChannels)
      args.x_pixels = xPixels
      args.y_pixels = yPixels
      args.weights = packing.weights(weights, io, at: io.workspace)
      args.weight_stride = args.channels
      args.bias = io.hasInput(2) ? io.input(2, as: Float.self) : nil
      args.activation = op.activation.function
      args.a = op.activation.a
      args.b = op.activation.b
      io.parallel(cut.chunks) { range in
        cut.forEachPart(range) { image, rows, channels in
          var own = args
          own.x = x + (image &* inputSize &+ channels.lowerBound / problem.outputChannels &* problem.inputChannels)
          own.y = y + (image &* outputSize &+ channels.lowerBound)
          own.weights += channels.lowerBound
          own.bias = own.bias.map { $0 + channels.lowerBound }
          own.channels = Int64(channels.count)
          kernels.table.pointee.depthwise(&own, Int64(rows.lowerBound), Int64(rows.upperBound))
        }
      }
    }
  }
}

// MARK: Matrix products

extension PixelConvolution {
  private func product(_ weights: TensorStorage?, _ packing: WeightPacking, _ planning: Planning) -> Step {
    // Factors of its channels give each image weights of its own.
    let isScaled = planning.has(4)
    let images = isScaled ? problem.batch : 1
    let pixels = problem.batch / images &* problem.geometry.outputSize
    let cut = ConvolutionCut(
      pixels: pixels, panels: panels, images: images, pixelBytes: inputChannels &* 4, flops: problem.flops, planning)
    let weightBytes = weights == nil ? packing.bytes : 0
    let imageWeights = packing.bytes / 4
    let roomBytes = (pairs?.workspaceFloats ?? 0) &* 4 &* (cut.count > 1 ? planning.threads : 1)
    return Step(
      kernel: name(pairs == nil ? "gemm" : "gemm-pairs"),
      workspace: weightBytes &+ (isScaled ? packing.bytes &* images : 0) &+ roomBytes
    ) { [self] io in
      var args = dlk_gemm_args()
      args.m = Int64(pixels)
      args.n = Int64(outputChannels)
      args.k = Int64(inputChannels)
      args.a = x(io)
      args.a_row_stride = Int64(xPlace.stride)
      let packed = packing.weights(weights, io, at: io.workspace)
      args.b = packed
      args.c = y(io)
      args.c_row_stride = Int64(yPlace.stride)
      args.epilogue = epilogue(io)
      args.paired = pairs == nil ? 0 : 1
      args.interleaved = packing.interleaved
      // Each image's weights, or each thread's copies of rows: what has factors is not made in pairs.
      let room = (io.workspace + weightBytes).assumingMemoryBound(to: Float.self)
      if isScaled {
        let factors = io.input(4, as: Float.self)
        io.parallel(images &* panels) { index in
          let image = index / panels
          packing.scalePanel(
            index &- image &* panels, packed, by: factors + image &* inputChannels, to: room + image &* imageWeights)
        }
        args.b = UnsafePointer(room)
      }
      let upcoming = io.upcoming
      io.parallel(cut.count) { index, thread in
        let part = cut[index]
        let pixel = part.image &* pixels
        var own = args
        if let pairs { own.workspace = room + thread &* pairs.workspaceFloats }
        own.a = args.a + pixel &* xPlace.stride
        own.b = args.b + part.image &* imageWeights
        own.c = args.c + pixel &* yPlace.stride
        own.epilogue.addend = args.epilogue.addend.map { $0 + pixel &* outputChannels }
        own.next = io.isLast(index, of: cut.count) ? upcoming : nil
        kernels.table.pointee.gemm(
          &own, Int64(part.pixels.lowerBound), Int64(part.pixels.upperBound), Int64(part.panels.lowerBound),
          Int64(part.panels.upperBound))
      }
    }
  }

  private func window(
    _ weights: TensorStorage?, _ packing: WeightPacking, _ planning: Planning, copy: ImageCopy?
  ) -> Step {
    let geometry = problem.geometry
    // Of the pixels between two windows, those that the second one reads.
    let fresh = geometry.axes.map { min($0.stride, $0.kernel) }.product
    let isJoined = copy == nil && Self.joinsGroups(problem, kernels)
    let calls = isJoined ? 1 : problem.groups
    let cut = ConvolutionCut(
      pixels: geometry.outputSize, panels: isJoined ? problem.groups : panels, images: problem.batch &* calls,
      pixelBytes: (isJoined ? inputChannels : problem.inputChannels) &* 4 &* fresh, flops: problem.flops, planning)
    let paddingBytes = (max(geometry.axes.last?.kernel ?? 1, 1) &* inputChannels &* 4 &+ 63) & ~63
    let weightBytes = weights == nil ? packing.bytes : 0
    let weightFloats = packing.floatsPerGroup
    let (inputSize, outputSize) = (geometry.inputSize &* xPlace.stride, geometry.outputSize &* outputChannels)
    let yImage = geometry.outputSize &* yPlace.stride
    var base = dlk_conv_args()
    base.window = copy?.window ?? geometry.kernelWindow
    base.channels = Int64(problem.inputChannels)
    base.n = Int64(problem.outputChannels)
    base.groups = Int64(isJoined ? problem.groups : 1)
    base.interleaved = packing.interleaved
    base.x_pixels = copy?.pixels ?? dlk_pixels(geometry.input, pixelStride: xPlace.stride)
    base.y_pixels = dlk_pixels(geometry.output, pixelStride: yPlace.stride)
    let fixed = ConvolutionArguments(base)
    return Step(
      kernel: name(copy == nil ? "conv" : "conv-copied"),
      workspace: paddingBytes &+ weightBytes &+ (copy?.bytes ?? 0) &* problem.batch
    ) { [self] io in
      let (x, y) = (self.x(io), self.y(io))
      let padding = io.workspace.assumingMemoryBound(to: Float.self)
      padding.update(repeating: 0, count: paddingBytes / 4)
      var args = fixed.value
      args.padding = UnsafePointer(padding)
      let packed = packing.weights(weights, io, at: io.workspace + paddingBytes)
      let images = (io.workspace + (paddingBytes &+ weightBytes)).assumingMemoryBound(to: Float.self)
      if let copy { copy.run(io, kernels, x, images) }
      let whole = epilogue(io)
      let upcoming = io.upcoming
      io.parallel(cut.count) { index in
        let part = cut[index]
        let (image, group) = (part.image / calls, part.image % calls)
        let channel = group &* problem.outputChannels
        var own = args
        own.x =
          copy.map { UnsafePointer(images) + image &* $0.floats }
          ?? x + (image &* inputSize &+ group &* problem.inputChannels)
        own.weights = packed + group &* weightFloats
        own.next = io.isLast(index, of: cut.count) ? upcoming : nil
        own.y = y + (image &* yImage &+ channel)
        own.epilogue = whole
        own.epilogue.bias = whole.bias.map { $0 + channel }
        own.epilogue.addend = whole.addend.map { $0 + (image &* outputSize &+ channel) }
        kernels.table.pointee.conv(
          &own, Int64(part.pixels.lowerBound), Int64(part.pixels.upperBound), Int64(part.panels.lowerBound),
          Int64(part.panels.upperBound))
      }
    }
  }
}

/// Kernel arguments without pointers, so that they may travel.
private struct ConvolutionArguments: @unchecked Sendable {
  let value: dlk_conv_args
  init(_ value: dlk_conv_args) { self.value = value }
}
