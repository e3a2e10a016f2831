import CKernelSupport
import DLRTGraph
import DLRTParallel

/// Brings weights `[M, C / group, kernel…]` into the kernels' form, group by group.
struct WeightPacking: Sendable {
  enum Layout: Sendable {
    /// `[tap][input of a group][output]`, of the outputs of all groups together.
    case taps
    /// Panels of `pack_b`.
    case panels
    /// Panels of `pair_b`, for windows of one tap; they are made of all weights at once.
    case pairs
    /// Panels of `pack_winograd`.
    case winograd(tile: Int)

    /// What the packed form is kept under.
    var name: String {
      switch self {
      case .taps: "taps"
      case .panels: "panels"
      case .pairs: "pairs"
      case .winograd(let tile): "winograd\(tile)"
      }
    }
  }

  private let problem: ConvolutionProblem
  private let kernels: KernelSet
  private let layout: Layout
  let floatsPerGroup: Int

  init(_ problem: ConvolutionProblem, _ kernels: KernelSet, _ layout: Layout) {
    self.problem = problem
    self.kernels = kernels
    self.layout = layout
    let depth = problem.geometry.kernelSize &* problem.inputChannels
    let (channels, n) = (Int64(problem.inputChannels), Int64(problem.outputChannels))
    let planes = Int64(problem.geometry.kernel.dropLast(2).product)
    switch layout {
    case .taps: floatsPerGroup = depth &* problem.outputChannels
    case .panels: floatsPerGroup = Int(kernels.table.pointee.packed_b_floats(Int64(depth), n))
    case .pairs: floatsPerGroup = Int(kernels.table.pointee.paired_b_floats(Int64(depth), n))
    case .winograd(let tile):
      floatsPerGroup = Int(kernels.table.pointee.packed_winograd_floats(Int64(tile), channels &* planes, n))
    }
  }

  /// `interleaved` of the kernels' arguments.
  var interleaved: Int32 { if case .panels = layout { 1 } else { 0 } }

  /// Planes of the window, 3 × 3 each for Winograd's method.
  private var planes: Int { problem.geometry.kernel.dropLast(2).product }

  var bytes: Int { (floatsPerGroup &* problem.groups &* 4 &+ 63) & ~63 }

  private var panelWidth: Int { Int(kernels.table.pointee.gemm_panel) }
  private var panels: Int { (problem.outputChannels &+ panelWidth &- 1) / panelWidth }
  /// Bytes of the weights that one panel is made of.
  private var panelBytes: Int { panelWidth &* problem.inputChannels &* problem.geometry.kernelSize &* 4 }

  /// What a step may take of the packed form at a time: panels, where all are as large but the last.
  private var units: PackedWeight.Units? {
    guard case .winograd(let tile) = layout, problem.groups == 1 else { return nil }
    let floats = kernels.table.pointee.packed_winograd_floats(
      Int64(tile), Int64(problem.inputChannels &* planes), Int64(panelWidth))
    return PackedWeight.Units(count: panels, byteCount: Int(floats) &* 4)
  }

  /// Constant weights, packed once for the model by all threads.
  func packed(_ tensor: Tensor, _ planning: Planning) throws -> PackedWeight {
    let format = "\(kernels.isa.name)-f32-\(layout.name)-\(problem.groups)"
    return try planning.packed(tensor, format: format, byteCount: bytes, units: units) { source, range, target in
      let target = target.assumingMemoryBound(to: Float.self)
      if case .taps = layout { return source.whole { packTaps($0, target) } }
      guard problem.groups == 1 else { return source.whole { pack($0, target, source.pool) } }
      try source.parts(of: range ?? 0..<panels, unitBytes: panelBytes) { range, base in
        for panel in range { packPanel(panel, base, target) }
      }
      if case .pairs = layout {
        PairedProducts.pair(
          target, k: problem.geometry.kernelSize &* problem.inputChannels, n: problem.outputChannels, kernels,
          source.pool)
      }
    }
  }

  /// The packed weights; those of a run are packed into `scratch` first.
  func weights(
    _ storage: TensorStorage?, _ io: borrowing StepIO, input: Int = 1, at scratch: UnsafeMutableRawPointer
  ) -> UnsafePointer<Float> {
    if let storage { return UnsafePointer(storage.base.assumingMemoryBound(to: Float.self)) }
    let target = scratch.assumingMemoryBound(to: Float.self)
    pack(io.input(input), target, io.host.pool)
    return UnsafePointer(target)
  }

  private func pack(_ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>, _ pool: ThreadPool) {
    if case .taps = layout { return packTaps(source, target) }
    let groupBytes = problem.outputChannels &* problem.inputChannels &* problem.geometry.kernelSize &* 4
    // Packing runs at the speed of memory, some bytes in a nanosecond.
    let chunks = Chunks(problem.groups &* panels, cost: Double(bytes) / Double(max(problem.groups &* panels, 1)) / 4)
    pool.run(chunks.count) { index in
      for unit in chunks[index] {
        let (group, panel) = (unit / panels, unit % panels)
        packPanel(panel, source + group &* groupBytes, target + group &* floatsPerGroup)
      }
    }
  }

  private func packPanel(_ panel: Int, _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
    let taps = problem.geometry.kernelSize
    let perOutput = Int64(taps &* problem.inputChannels)
    if case .winograd(let tile) = layout {
      var args = dlk_pack_winograd_args(
        source: source, tile: Int64(tile), planes: Int64(planes), channels: Int64(problem.inputChannels),
        n: Int64(problem.outputChannels), packed: target)
      return kernels.table.pointee.pack_winograd(&args, Int64(panel), Int64(panel &+ 1))
    }
    var args = dlk_pack_b_args()
    args.source = source
    args.k_outer = Int64(taps)
    args.k_inner = Int64(problem.inputChannels)
    args.n = Int64(problem.outputChannels)
    args.k_outer_stride = 1
    args.k_inner_stride = Int64(taps)
    args.n_stride = perOutput
    args.scale = 1
    args.packed = target
    if case .pairs = layout { args.paired = 1 }
    args.interleaved = interleaved
    kernels.table.pointee.pack_b(&args, Int64(panel), Int64(panel &+ 1))
  }

  private func packTaps(_ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
    let taps = problem.geometry.kernelSize
    let (members, channels) = (problem.inputChannels, problem.groups &* problem.outputChannels)
    for channel in 0..<channels {
      for k in 0..<members {
        for tap in 0..<taps {
          target[(tap &* members &+ k) &* channels &+ channel] = source.loadUnaligned(
            fromByteOffset: ((channel &* members &+ k) &* taps &+ tap) &* 4, as: Float.self)
        }
      }
    }
  }

  /// Panels of 1 × 1 windows whose row k is multiplied by factor k.
  func scalePanel(
    _ panel: Int, _ packed: UnsafePointer<Float>, by factors: UnsafePointer<Float>,
    to target: UnsafeMutablePointer<Float>
  ) {
    let vector = Int(kernels.table.pointee.vector_floats)
    let (columns, rows) = (problem.outputChannels &- panel &* panelWidth, problem.inputChannels)
    let place = panel &* panelWidth &* rows
    let isInterleaved =
      interleaved != 0 && columns < panelWidth
      && kernels.table.pointee.interleaves_panel(1, Int64(rows), Int64(columns)) != 0
    if isInterleaved {
      return scaleInterleaved(packed + place, factors, target + place, rows: rows, width: (columns &+ 7) & ~7)
    }
    let width = (min(panelWidth, columns) &+ vector &- 1) / vector &* vector
    scaleRows(packed + place, factors, target + place, rows: rows, width: width)
  }
}

@_optimize(speed) @inline(never)
private func scaleRows(
  _ from: UnsafePointer<Float>, _ factors: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>, rows: Int,
  width: Int
) {
  for row in 0..<rows {
    let (source, target, factor) = (from + row &* width, to + row &* width, factors[row])
    for column in 0..<width { target[column] = source[column] * factor }
  }
}

/// Interleaved rows: factors of even and odd ones in turn.
@_optimize(speed) @inline(never)
private func scaleInterleaved(
  _ from: UnsafePointer<Float>, _ factors: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>, rows: Int,
  width: Int
) {
  for row in Swift.stride(from: 0, to: rows, by: 2) {
    let (source, target) = (from + row &* width, to + row &* width)
    let (even, odd) = (factors[row], factors[row &+ 1])
    for column in 0..<width {
      target[2 &* column] = source[2 &* column] * even
      target[2 &* column &+ 1] = source[2 &* column &+ 1] * odd
    }
  }
}
