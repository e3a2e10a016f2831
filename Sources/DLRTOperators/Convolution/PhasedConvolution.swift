import CKernelSupport
import DLRTGraph
import DLRTParallel

/// The outputs of a transposed convolution's axis whose index leaves one remainder by the stride: they read the input as
/// a convolution without stride does, through every so many taps in reverse order.
fileprivate struct AxisPhase: Sendable {
  let first: Int
  let count: Int
  /// Taps of the whole kernel, in the order of the inputs they meet.
  let taps: [Int]
  let dilation: Int
  /// Input elements before the first that the first output's window covers; negative where the window begins later.
  let pad: Int

  /// - Parameter axis: the forward window, whose input is the output here.
  init(_ axis: WindowAxis, remainder: Int) {
    first = remainder
    count = remainder < axis.input ? (axis.input - remainder + axis.stride - 1) / axis.stride : 0
    let place = remainder + axis.padBegin
    let taps = (0..<axis.kernel).filter { (place - $0 * axis.dilation) % axis.stride == 0 }
    // The input element that a tap meets at the first output.
    let meets = taps.map { (place - $0 * axis.dilation) / axis.stride }
    self.taps = taps.reversed()
    dilation = meets.count > 1 ? meets[0] - meets[1] : 1
    pad = -(meets.last ?? 0)
  }
}

/// A transposed convolution as one convolution without stride for each phase of the output's indices; each writes its
/// own pixels, so that nothing is summed twice.
final class PhasedConvolution: Sendable {
  private let problem: ConvolutionProblem
  private let activation: UnaryKernel
  private let kernels: KernelSet
  private let yPlace: PixelPlace
  private let phases: [Phase]
  /// What is done one after the other: parts of different phases that read about the same inputs, while a cache has them.
  private let units: [Unit]
  private let weightFloats: Int
  /// Outputs that one input pixel makes across, taken for more channels of a single one.
  private let spread: Int
  private let adjacent: AdjacentOutputs?
  private let flops: Int
  /// Windows do not overlap: in every phase each output has the one pixel at its own place, and their rows lie in runs.
  private let areProducts: Bool
  /// How such products are made in pairs.
  private let pairs: PairedProducts?

  /// Stands for arguments without pointers, so that they may travel.
  private struct Phase: @unchecked Sendable {
    let axes: [AxisPhase]
    let args: dlk_conv_args
    let cut: ConvolutionCut
    /// Floats from the output's first element to the phase's.
    let place: Int
    let firstWeight: Int
    let weightsPerGroup: Int

    var taps: Int { axes.map(\.taps.count).product }
  }

  /// A part of a phase's cut.
  private struct Unit {
    let phase: Int
    let part: Int
  }

  private var inputChannels: Int { problem.groups &* problem.inputChannels }
  private var outputChannels: Int { problem.groups &* problem.outputChannels }

  init(_ given: ConvolutionProblem, _ activation: UnaryKernel, _ planning: Planning) throws {
    // Pixels among another tensor's channels are not adjacent.
    adjacent =
      planning.output(0).view == nil
      ? AdjacentOutputs(given, vector: Int(planning.kernels.table.pointee.vector_floats)) : nil
    let (problem, spread) = (adjacent?.problem ?? given, adjacent?.count ?? 1)
    self.problem = problem
    self.spread = spread
    flops = given.flops
    self.activation = activation
    kernels = planning.kernels
    let axes = Array(repeating: .single, count: 3 - problem.geometry.axes.count) + problem.geometry.axes
    yPlace = PixelPlace(planning.output(0))
    let pixel = yPlace.stride * spread
    let rowStrides = [axes[1].input * axes[2].input * pixel, axes[2].input * pixel, pixel]
    let panel = Int(planning.kernels.table.pointee.gemm_panel)
    // Planes may be no farther apart than rows let them be.
    areProducts =
      (axes[0].stride == 1 || axes[0].output == 1)
      && axes.allSatisfy {
        $0.kernel == $0.stride && $0.input == $0.output * $0.stride && $0.padBegin == 0 && $0.dilation == 1
      }
    pairs =
      areProducts && problem.inputChannels <= Int(DLK_PAIRED_DEPTH)
      ? PairedProducts(
        m: problem.geometry.outputSize, n: problem.outputChannels, k: problem.inputChannels, planning.kernels) : nil
    var phases: [Phase] = []
    var weights = 0
    for d in 0..<axes[0].stride {
      for h in 0..<axes[1].stride {
        for w in 0..<axes[2].stride {
          let own = zip(axes, [d, h, w]).map { AxisPhase($0, remainder: $1) }
          let args = Self.arguments(problem, axes, own, outputStride: pixel)
          let taps = own.map(\.taps.count).product
          let pixels = own.map(\.count).product
          let depth = taps * problem.inputChannels
          let cut = ConvolutionCut(
            pixels: pixels, panels: (problem.outputChannels + panel - 1) / panel,
            images: problem.batch * problem.groups,
            pixelBytes: problem.inputChannels * 4,
            flops: 2 * depth * pixels * problem.outputChannels * problem.batch * problem.groups, planning)
          let (k, n) = (Int64(depth), Int64(problem.outputChannels)), table = planning.kernels.table.pointee
          let perGroup = Int(pairs == nil ? table.packed_b_floats(k, n) : table.paired_b_floats(k, n))
          phases.append(
            Phase(
              axes: own, args: args, cut: cut, place: zip([d, h, w], rowStrides).reduce(0) { $0 + $1.0 * $1.1 },
              firstWeight: weights, weightsPerGroup: perGroup))
          // A phase beyond a small output has weights all the same: their places are one for all sizes.
          weights += perGroup * problem.groups
        }
      }
    }
    self.phases = phases
    units = Self.units(phases)
    weightFloats = weights
  }

  private static func units(_ phases: [Phase]) -> [Unit] {
    let all = phases.indices.flatMap { phase in
      let isEmpty = phases[phase].axes.contains { $0.count == 0 }
      return (0..<(isEmpty ? 0 : phases[phase].cut.count)).map { Unit(phase: phase, part: $0) }
    }
    // How far through the inputs a unit is; phases at an edge may have fewer parts.
    func place(_ unit: Unit) -> Double { Double(unit.part) / Double(phases[unit.phase].cut.count) }
    return all.sorted { (place($0), $0.phase) < (place($1), $1.phase) }
  }

  private static func arguments(
    _ problem: ConvolutionProblem, _ axes: [WindowAxis], _ phase: [AxisPhase], outputStride: Int
  ) -> dlk_conv_args {
    let inputChannels = problem.groups * problem.inputChannels
    let windows = zip(axes, phase).map { axis, own in
      WindowAxis(
        input: axis.output, output: own.count, kernel: own.taps.count, stride: 1, dilation: own.dilation,
        padBegin: own.pad, padEnd: 0)
    }
    var args = dlk_conv_args()
    args.window = ConvolutionGeometry(windows).kernelWindow
    args.channels = Int64(problem.inputChannels)
    args.n = Int64(problem.outputChannels)
    args.x_pixels = dlk_pixels(axes.map(\.output), pixelStride: inputChannels)
    args.y_pixels.pixel_stride = Int64(axes[2].stride * outputStride)
    args.y_pixels.row_stride = Int64(axes[1].stride * axes[2].input * outputStride)
    args.y_pixels.plane_stride = Int64(axes[0].stride * axes[1].input * axes[2].input * outputStride)
    args.epilogue.scale = 1
    return args
  }

  func step(_ weights: Tensor, _ planning: Planning) throws -> Step {
    let axes = problem.geometry.axes
    let format =
      "\(kernels.isa.name)-f32-phases\(pairs == nil ? "" : "-pairs")-\(problem.groups)-\(spread)-\(adjacent?.pad ?? 0)-\(axes.map { [$0.stride, $0.dilation, $0.padBegin] })"
    let packed = try planning.packed(weights, format: format, byteCount: weightFloats * 4) { [self] source, target in
      try source.whole { try pack($0, target, source.pool) }
    }
    let inputSize = problem.geometry.outputSize &* inputChannels
    let outputSize = problem.geometry.inputSize &* yPlace.stride &* spread
    let paddingFloats = (axes.last?.kernel ?? 1) &* problem.inputChannels
    let biasFloats = spread > 1 ? outputChannels : 0
    let roomStart = (paddingFloats &+ biasFloats &+ 15) & ~15, roomFloats = pairs?.workspaceFloats ?? 0
    return Step(
      kernel: "\(kernels.isa.name)-f32-phases\(pairs == nil ? "" : "-pairs")", flops: flops,
      workspace: (roomStart &+ roomFloats &* (units.count > 1 ? planning.threads : 1)) &* 4, skippedInputs: [1],
      firstRead: UnsafeRawPointer(packed.base)
    ) { [self] io in
      let (x, y) = (io.input(0, as: Float.self), io.output(0, as: Float.self) + yPlace.offset)
      let bias = wholeBias(io, io.workspace.assumingMemoryBound(to: Float.self) + paddingFloats)
      let padding = io.workspace.assumingMemoryBound(to: Float.self)
      padding.update(repeating: 0, count: paddingFloats)
      let panels = UnsafePointer(packed.base.assumingMemoryBound(to: Float.self))
      let upcoming = io.upcoming
      io.parallel(units.count) { index, thread in
        let phase = phases[units[index].phase], part = phase.cut[units[index].part]
        let (image, group) = (part.image / problem.groups, part.image % problem.groups)
        let channel = group &* problem.outputChannels
        var args = phase.args
        args.x = x + (image &* inputSize &+ group &* problem.inputChannels)
        args.y = y + (image &* outputSize &+ phase.place &+ channel)
        args.padding = UnsafePointer(padding)
        args.weights = panels + (phase.firstWeight &+ group &* phase.weightsPerGroup)
        args.next =
          io.isLast(index, of: units.count) ? upcoming : UnsafeRawPointer(panels + firstWeight(of: index &+ 1))
        args.epilogue.bias = bias.map { $0 + channel }
        args.epilogue.activation = activation.function
        args.epilogue.a = activation.a
        args.epilogue.b = activation.b
        if phase.taps == 0 { return fill(args, part.pixels) }
        if areProducts {
          var product = args.product
          product.paired = pairs == nil ? 0 : 1
          product.workspace = padding + (roomStart &+ thread &* roomFloats)
          kernels.table.pointee.gemm(
            &product, Int64(part.pixels.lowerBound), Int64(part.pixels.upperBound), Int64(part.panels.lowerBound),
            Int64(part.panels.upperBound))
          return
        }
        kernels.table.pointee.conv(
          &args, Int64(part.pixels.lowerBound), Int64(part.pixels.upperBound), Int64(part.panels.lowerBound),
          Int64(part.panels.upperBound))
      }
    }
  }

  /// Where the weights that a unit reads begin.
  private func firstWeight(of index: Int) -> Int {
    let phase = phases[units[index].phase], part = phase.cut[units[index].part]
    return phase.firstWeight &+ part.image % problem.groups &* phase.weightsPerGroup
      &+ part.panels.lowerBound &* panelWidth &* phase.taps &* problem.inputChannels
  }

  /// The bias of every output channel, put down in `scratch` where a model's channel stands for several.
  private func wholeBias(_ io: borrowing StepIO, _ scratch: UnsafeMutablePointer<Float>) -> UnsafePointer<Float>? {
    guard io.hasInput(2) else { return nil }
    let bias = io.input(2, as: Float.self)
    if spread == 1 { return bias }
    let count = outputChannels / spread
    for index in 0..<spread { (scratch + index &* count).update(from: bias, count: count) }
    return UnsafePointer(scratch)
  }

  /// Pixels that no tap reaches hold the bias alone.
  private func fill(_ args: dlk_conv_args, _ pixels: Range<Int>) {
    let (width, height, count) = (Int(args.window.out_w), Int(args.window.out_h), problem.outputChannels)
    for pixel in pixels {
      let (row, plane) = (pixel / width % height, pixel / width / height)
      let place =
        pixel % width &* Int(args.y_pixels.pixel_stride) &+ row &* Int(args.y_pixels.row_stride)
        &+ plane &* Int(args.y_pixels.plane_stride)
      guard let target = args.y.map({ $0 + place }) else { return }
      for channel in 0..<count { target[channel] = args.epilogue.bias?[channel] ?? 0 }
      kernels.table.pointee.unary(activation.function, activation.a, activation.b, target, target, Int64(count))
    }
  }

  /// W `[C, M / group, kernel…]` as panels for each phase and group, of which the rows are tap by tap the channels.
  private func pack(_ base: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ pool: ThreadPool) throws {
    let target = target.assumingMemoryBound(to: Float.self)
    let kernel = Array(repeating: 1, count: 3 - problem.geometry.axes.count) + problem.geometry.kernel
    let channels = problem.inputChannels
    let across = adjacent?.kernel ?? kernel[2]
    let taps = kernel[0] * kernel[1] * across
    let panels = Int64((problem.outputChannels + panelWidth - 1) / panelWidth)
    let rowFloats = channels * problem.outputChannels
    let perPixel = problem.outputChannels / spread
    let block = try TensorStorage(byteCount: kernel.product * rowFloats * 4)
    let rows = block.base.assumingMemoryBound(to: Float.self)
    for phase in phases where phase.taps > 0 {
      for group in 0..<problem.groups {
        var row = 0
        for d in phase.axes[0].taps {
          for h in phase.axes[1].taps {
            for w in phase.axes[2].taps {
              let source = base + (group * channels * perPixel * taps + (d * kernel[1] + h) * across) * 4
              // Channel by channel of X, `spread` times the model's output channels.
              for place in 0..<channels * spread {
                let line = rows + (row * rowFloats + place * perPixel)
                guard let tap = adjacent == nil ? w : adjacent?.tap(place % spread, w) else {
                  line.update(repeating: 0, count: perPixel)
                  continue
                }
                let from = source + (place / spread * perPixel * taps + tap) * 4
                for output in 0..<perPixel {
                  line[output] = from.loadUnaligned(fromByteOffset: output &* taps &* 4, as: Float.self)
                }
              }
              row += 1
            }
          }
        }
        var args = dlk_pack_b_args()
        args.source = UnsafeRawPointer(rows)
        args.k_outer = Int64(row)
        args.k_inner = Int64(channels)
        args.n = Int64(problem.outputChannels)
        args.k_outer_stride = Int64(rowFloats)
        args.k_inner_stride = Int64(problem.outputChannels)
        args.n_stride = 1
        args.scale = 1
        let packed = target + phase.firstWeight + group * phase.weightsPerGroup
        args.packed = packed
        args.paired = pairs == nil ? 0 : 1
        kernels.table.pointee.pack_b(&args, 0, panels)
        if pairs != nil { PairedProducts.pair(packed, k: channels, n: problem.outputChannels, kernels, pool) }
      }
    }
  }

  private var panelWidth: Int { Int(kernels.table.pointee.gemm_panel) }
}

extension dlk_conv_args {
  /// The same as a product, where each output has the one pixel at its own place.
  fileprivate var product: dlk_gemm_args {
    var product = dlk_gemm_args()
    product.m = window.out_d &* window.out_h &* window.out_w
    (product.n, product.k) = (n, channels)
    (product.a, product.a_row_stride) = (x, x_pixels.pixel_stride)
    (product.b, product.c, product.c_row_stride) = (weights, y, y_pixels.pixel_stride)
    if y_pixels.row_stride != window.out_w &* y_pixels.pixel_stride {
      (product.c_run, product.c_run_stride) = (window.out_w, y_pixels.row_stride)
    }
    (product.epilogue, product.next) = (epilogue, next)
    return product
  }
}
