import CKernelSupport

extension dlk_epilogue {
  /// Stores the product as it is.
  package static var plain: dlk_epilogue {
    var epilogue = dlk_epilogue()
    epilogue.scale = 1
    epilogue.addend_scale = 1
    return epilogue
  }
}

extension dlk_pack_b_args {
  /// A matrix `[k][n]` of floats with any strides (in elements).
  package init(
    _ source: UnsafeRawPointer, k: Int, n: Int, kStride: Int, nStride: Int,
    scale: Float = 1, packed: UnsafeMutablePointer<Float>
  ) {
    self.init(
      source: source, k_outer: 1, k_inner: Int64(k), n: Int64(n), k_outer_stride: 0,
      k_inner_stride: Int64(kStride), n_stride: Int64(nStride), scale: scale, packed: packed, row_begin: 0, row_end: 0)
  }
}

extension KernelLibrary {
  /// The name of a kernel in profiles, such as `avx2-f32-gemm`.
  package static func name(_ variant: String, type: String = "f32", isa: ISA = active) -> String {
    "\(isa.name)-\(type)-\(variant)"
  }
}
