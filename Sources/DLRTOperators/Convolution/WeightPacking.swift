import CKernelSupport
import DLRTGraph

/// Brings weights `[M, C / group, kernel…]` into the kernels' form: panels for each group, or `[tap][channel]`.
struct WeightPacking: Sendable {
  private let problem: ConvolutionProblem
  private let kernels: KernelSet
  private let isDepthwise: Bool
  let floatsPerGroup: Int

  init(_ problem: ConvolutionProblem, _ kernels: KernelSet, isDepthwise: Bool) {
    self.problem = problem
    self.kernels = kernels
    self.isDepthwise = isDepthwise
    let depth = problem.geometry.kernelSize &* problem.inputChannels
    floatsPerGroup =
      isDepthwise ? depth : Int(kernels.table.pointee.packed_b_floats(Int64(depth), Int64(problem.outputChannels)))
  }

  var bytes: Int { (floatsPerGroup &* problem.groups &* 4 &+ 63) & ~63 }

  /// Constant weights, packed once for the model.
  func packed(_ tensor: Tensor, _ planning: Planning) throws -> TensorStorage {
    let format = "\(kernels.isa.name)-f32-\(isDepthwise ? "depthwise" : "conv")-\(problem.groups)"
    return try planning.packed(tensor, format: format) { tensor in
      let storage = try TensorStorage(byteCount: bytes)
      tensor.withUnsafeBytes { bytes in
        guard let source = bytes.baseAddress else { return }
        pack(source, storage.base.assumingMemoryBound(to: Float.self))
      }
      return storage
    }
  }

  /// The packed weights; those of a run are packed into `scratch` first.
  func weights(
    _ storage: TensorStorage?, _ io: borrowing StepIO, input: Int = 1, at scratch: UnsafeMutableRawPointer
  ) -> UnsafePointer<Float> {
    if let storage { return UnsafePointer(storage.base.assumingMemoryBound(to: Float.self)) }
    let target = scratch.assumingMemoryBound(to: Float.self)
    pack(io.input(input), target)
    return UnsafePointer(target)
  }

  private func pack(_ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
    let taps = problem.geometry.kernelSize
    let perOutput = taps &* problem.inputChannels
    if isDepthwise {
      for channel in 0..<problem.groups {
        for tap in 0..<taps {
          target[tap &* problem.groups &+ channel] = source.loadUnaligned(
            fromByteOffset: (channel &* taps &+ tap) &* 4, as: Float.self)
        }
      }
      return
    }
    let panel = Int(kernels.table.pointee.gemm_panel)
    for group in 0..<problem.groups {
      var args = dlk_pack_b_args()
      args.source = source + group &* problem.outputChannels &* perOutput &* 4
      args.type = DLK_FLOAT32
      args.k_outer = Int64(taps)
      args.k_inner = Int64(problem.inputChannels)
      args.n = Int64(problem.outputChannels)
      args.k_outer_stride = 1
      args.k_inner_stride = Int64(taps)
      args.n_stride = Int64(perOutput)
      args.scale = 1
      args.packed = target + group &* floatsPerGroup
      kernels.table.pointee.pack_b(&args, 0, Int64((problem.outputChannels &+ panel &- 1) / panel))
    }
  }
}
