import CKernelSupport
import DLRTGraph

/// How a DepthwiseBlock runs: bands of output rows, for each of which the rows of the expanded image that are new are
/// made in a ring, convolved depthwise into a second small buffer, and projected from there.
final class DepthwiseBlockRun: Sendable {
  private let op: DepthwiseBlock
  private let kernels: KernelSet
  private let depthwise: ConvolutionProblem
  private let depthwiseWeights: Weights
  private let stem: StemRows?
  private let expand: Pointwise?
  private let project: Pointwise?
  private let hasAddend: Bool
  private let outputChannels: Int
  private let xPlace: PixelPlace
  private let yPlace: PixelPlace
  private let bands: RowBands
  /// Floats from a pixel to the next in the ring and in a band: vectors that begin with a line of the cache.
  private let pixelStride: Int
  private let threads: Int

  /// A constant that was packed, or the way to pack one that only the run knows.
  private struct Weights: Sendable {
    let input: Int
    let packing: WeightPacking
    let packed: TensorStorage?

    init(
      _ input: Int, _ problem: ConvolutionProblem, _ layout: WeightPacking.Layout, _ planning: Planning
    ) throws {
      let packing = WeightPacking(problem, planning.kernels, layout)
      self.input = input
      self.packing = packing
      packed = try planning.constant(input).map { try packing.packed($0, planning).storage }
    }

    var scratch: Int { packed == nil ? packing.bytes : 0 }

    func pointer(_ io: borrowing StepIO, _ scratch: UnsafeMutableRawPointer) -> UnsafePointer<Float> {
      packing.weights(packed, io, input: input, at: scratch)
    }
  }

  /// A 1 × 1 convolution: a product over the pixels of some rows.
  private struct Pointwise: Sendable {
    let weights: Weights
    let activation: UnaryKernel
    /// Channels read and made.
    let k: Int
    let n: Int
    let pairs: PairedProducts?

    /// - Parameter pixels: the most of one product.
    init(_ input: Int, _ activation: UnaryKernel, pixels: Int, addsLast: Bool = false, _ planning: Planning) throws {
      let shape = planning.shape(input)
      (n, k) = (shape[0], shape[1])
      self.activation = activation
      let problem = ConvolutionProblem(
        batch: 1, groups: 1, inputChannels: k, outputChannels: n, geometry: ConvolutionGeometry([.single, .single]))
      pairs =
        planning.constant(input) == nil
        ? nil : PairedProducts(m: pixels, n: n, k: k, addsLast: addsLast, planning.kernels)
      weights = try Weights(input, problem, pairs == nil ? .panels : .pairs, planning)
    }

    func arguments(_ io: borrowing StepIO, _ scratch: UnsafeMutableRawPointer) -> dlk_gemm_args {
      var args = dlk_gemm_args()
      args.n = Int64(n)
      args.k = Int64(k)
      args.paired = pairs == nil ? 0 : 1
      args.a_row_stride = args.k
      args.interleaved = weights.packing.interleaved
      args.b = weights.pointer(io, scratch)
      args.c_row_stride = args.n
      args.epilogue.scale = 1
      args.epilogue.bias = io.hasInput(weights.input + 1) ? io.input(weights.input + 1, as: Float.self) : nil
      args.epilogue.activation = activation.function
      args.epilogue.a = activation.a
      args.epilogue.b = activation.b
      return args
    }
  }

  /// What a band leaves in the second-level cache, beside the weights and the image that are read.
  private static let cacheBytes = max(256 << 10, Int(dlk_cpu_cache_bytes(2)) / 3)

  init(_ op: DepthwiseBlock, _ planning: Planning) throws {
    self.op = op
    kernels = planning.kernels
    stem = try op.hasStem(planning) ? try StemRows(op.expansion, weights: DepthwiseBlock.Input.expand, planning) : nil
    let input = stem?.image ?? planning.shape(0).channelsFirst
    (xPlace, yPlace) = (PixelPlace(planning.input(0)), PixelPlace(planning.output(0)))
    typealias Input = DepthwiseBlock.Input
    let weights = planning.shape(Input.depthwise)
    let channels = weights[0]
    try StemRows.check([input[0], channels] + input[2...])
    depthwise = try op.attributes.problem(x: [input[0], channels] + input[2...], w: weights)
    depthwiseWeights = try Weights(Input.depthwise, depthwise, .taps, planning)
    let geometry = depthwise.geometry
    let (down, across) = (geometry.axes[0], geometry.axes[1])
    let rowBytes =
      (Double(across.input) * Double(planning.has(Input.expand) ? down.stride : 0)
        + Double(planning.has(Input.project) ? across.output : 0)) * Double(channels) * 4
    bands = RowBands(
      down, images: input[0], bytesPerRow: rowBytes, cacheBytes: Self.cacheBytes, threads: planning.threads)
    pixelStride = (channels + 15) & ~15
    expand =
      stem == nil && planning.has(Input.expand)
      ? try Pointwise(Input.expand, op.expansion.activation, pixels: bands.ring * across.input, planning) : nil
    project =
      planning.has(Input.project)
      ? try Pointwise(
        Input.project, op.projectActivation, pixels: bands.band * across.output,
        addsLast: op.isAddendLast && planning.has(Input.addend), planning) : nil
    outputChannels = project?.n ?? channels
    hasAddend = planning.has(Input.addend)
    threads = planning.threads
  }

  private var flops: Int {
    func products(_ pointwise: Pointwise?, pixels: Int) -> Double {
      pointwise.map { 2 * Double($0.k) * Double($0.n) * Double(bands.images) * Double(pixels) } ?? 0
    }
    let expanding = products(expand, pixels: depthwise.geometry.inputSize) + Double(stem?.problem.flops ?? 0)
    let projecting = products(project, pixels: depthwise.geometry.outputSize)
    return Int(min(expanding + projecting + Double(depthwise.flops), 1e18))
  }

  /// Rows of another image than X are convolved.
  private var hasRing: Bool { stem != nil || expand != nil }

  func step() -> Step {
    let across = depthwise.geometry.axes[1]
    var scratch = Scratch()
    let depthwisePlace = scratch.reserve(depthwiseWeights.scratch)
    let expandPlace = scratch.reserve(stem?.weightBytes ?? expand?.weights.scratch ?? 0)
    let projectPlace = scratch.reserve(project?.weights.scratch ?? 0)
    let ringFloats = !hasRing ? 0 : bands.ring &* across.input &* pixelStride
    let rooms = bands.parts.count > 1 ? threads : 1
    let bandFloats = project == nil ? 0 : bands.band &* across.output &* pixelStride
    let pairFloats = max(expand?.pairs?.workspaceFloats ?? 0, project?.pairs?.workspaceFloats ?? 0)
    let stemFloats = stem?.roomFloats(rows: bands.ring) ?? 0
    let roomFloats = ringFloats &+ bandFloats &+ stemFloats &+ pairFloats
    let roomPlace = scratch.reserve(rooms &* roomFloats &* 4)
    let reachedPlace = scratch.reserve(rooms &* MemoryLayout<RowBands.Reached>.stride)
    var packed = [depthwiseWeights, expand?.weights, project?.weights].compactMap {
      $0?.packed == nil ? nil : $0?.input
    }
    if stem?.firstRead != nil { packed.append(DepthwiseBlock.Input.expand) }
    return Step(
      kernel: "\(kernels.isa.name)-f32-depthwise-block", flops: flops, workspace: scratch.size,
      skippedInputs: Set(packed), firstRead: stem?.firstRead ?? expand?.weights.packed.map { UnsafeRawPointer($0.base) }
    ) { [self] io in
      let call = Call(
        x: io.input(0, as: Float.self) + xPlace.offset, y: io.output(0, as: Float.self) + yPlace.offset,
        addend: hasAddend ? io.input(DepthwiseBlock.Input.addend, as: Float.self) : nil,
        stem: stem?.call(io, io.workspace + expandPlace, pixelStride: pixelStride),
        expand: expand?.arguments(io, io.workspace + expandPlace),
        depthwise: depthwiseArguments(io, io.workspace + depthwisePlace),
        project: project?.arguments(io, io.workspace + projectPlace))
      let room = (io.workspace + roomPlace).assumingMemoryBound(to: Float.self)
      let reached = (io.workspace + reachedPlace).assumingMemoryBound(to: RowBands.Reached.self)
      reached.initialize(repeating: RowBands.Reached(), count: rooms)
      let upcoming = io.upcoming
      io.parallel(bands.parts.count) { part, thread in
        let ring = room + thread &* roomFloats, band = ring + ringFloats
        let own = call.with(workspace: band + (bandFloats &+ stemFloats))
        let next = io.isLast(part, of: bands.parts.count) ? upcoming : nil
        bands.run(bands.parts[part], &reached[thread]) { image, rows, isLast in
          let target = ring + rows.lowerBound % bands.ring &* across.input &* pixelStride
          if let stem, let call = own.stem {
            stem.make(
              call, image, rows, to: target, band + bandFloats, next: isLast && project == nil ? next : nil)
          } else if let expand = own.expand {
            self.expand(expand, x(own, image), rows, target)
          }
        } use: { image, rows, isLast in
          runBand(own, image, rows, ring, band, next: isLast ? next : nil)
        }
      }
    }
  }

  private func depthwiseArguments(
    _ io: borrowing StepIO, _ scratch: UnsafeMutableRawPointer
  ) -> dlk_depthwise_args {
    let geometry = depthwise.geometry, bias = DepthwiseBlock.Input.depthwise + 1
    var args = dlk_depthwise_args()
    args.window = geometry.kernelWindow
    args.channels = Int64(depthwise.groups)
    args.group = 1
    args.inputs = 1
    args.x_pixels = dlk_pixels(geometry.input, pixelStride: hasRing ? pixelStride : xPlace.stride)
    args.y_pixels = dlk_pixels(geometry.output, pixelStride: project == nil ? yPlace.stride : pixelStride)
    args.weights = depthwiseWeights.pointer(io, scratch)
    args.weight_stride = args.channels
    args.bias = io.hasInput(bias) ? io.input(bias, as: Float.self) : nil
    args.activation = op.activation.function
    args.a = op.activation.a
    args.b = op.activation.b
    args.x_ring = hasRing ? Int64(bands.ring) : 0
    return args
  }
}

// MARK: Running

extension DepthwiseBlockRun {
  /// The arguments of one run.
  private struct Call {
    let x: UnsafePointer<Float>
    let y: UnsafeMutablePointer<Float>
    let addend: UnsafePointer<Float>?
    let stem: StemRows.Call?
    var expand: dlk_gemm_args?
    let depthwise: dlk_depthwise_args
    var project: dlk_gemm_args?

    /// As one thread makes it.
    func with(workspace: UnsafeMutablePointer<Float>) -> Call {
      var call = self
      call.expand?.workspace = workspace
      call.project?.workspace = workspace
      return call
    }
  }

  private func x(_ call: Call, _ image: Int) -> UnsafePointer<Float> {
    call.x + image &* depthwise.geometry.inputSize &* xPlace.stride
  }

  private func expand(
    _ arguments: dlk_gemm_args, _ x: UnsafePointer<Float>, _ rows: Range<Int>, _ target: UnsafeMutablePointer<Float>
  ) {
    let width = depthwise.geometry.axes[1].input
    var args = arguments
    args.m = Int64(rows.count &* width)
    args.a = x + rows.lowerBound &* width &* xPlace.stride
    args.a_row_stride = Int64(xPlace.stride)
    args.c = target
    args.c_row_stride = Int64(pixelStride)
    multiply(&args)
  }

  private func runBand(
    _ call: Call, _ image: Int, _ rows: Range<Int>, _ ringRoom: UnsafeMutablePointer<Float>,
    _ bandRoom: UnsafeMutablePointer<Float>, next: UnsafeRawPointer?
  ) {
    let (down, across) = (depthwise.geometry.axes[0], depthwise.geometry.axes[1])
    let width = across.output
    let pixel = (image &* down.output &+ rows.lowerBound) &* width
    var args = call.depthwise
    args.x = hasRing ? UnsafePointer(ringRoom) : x(call, image)
    // The kernel counts rows over the whole output.
    args.y =
      call.project == nil
      ? call.y + image &* down.output &* width &* yPlace.stride
      : bandRoom - rows.lowerBound &* width &* pixelStride
    kernels.table.pointee.depthwise(&args, Int64(rows.lowerBound), Int64(rows.upperBound))
    guard var product = call.project else { return }
    product.m = Int64(rows.count &* width)
    product.a = UnsafePointer(bandRoom)
    product.a_row_stride = Int64(pixelStride)
    product.c = call.y + pixel &* yPlace.stride
    product.c_row_stride = Int64(yPlace.stride)
    product.next = next
    if let addend = call.addend {
      product.epilogue.addend = addend + pixel &* outputChannels
      product.epilogue.addend_row_stride = Int64(outputChannels)
      product.epilogue.addend_scale = 1
      product.epilogue.addend_last = op.isAddendLast ? 1 : 0
    }
    multiply(&product)
  }

  private func multiply(_ args: inout dlk_gemm_args) {
    let panel = Int(kernels.table.pointee.gemm_panel)
    kernels.table.pointee.gemm(&args, 0, args.m, 0, Int64((Int(args.n) &+ panel &- 1) / panel))
  }
}
