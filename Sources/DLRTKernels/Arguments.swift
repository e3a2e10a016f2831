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

extension UnsafePointer<dlk_kernel_table> {
  /// C = A · B or C += A · B of plain matrices `[m][k]`, `[k][n]` and `[m][n]`, by `gemm_direct`; A's rows follow one on
  /// the other.
  package func multiply(
    m: Int, n: Int, k: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, bRowStride: Int,
    _ c: UnsafeMutablePointer<Float>, cRowStride: Int, adds: Bool = false
  ) {
    var args = dlk_gemm_args()
    (args.m, args.n, args.k) = (Int64(m), Int64(n), Int64(k))
    (args.a, args.a_row_stride) = (a, args.k)
    (args.b, args.b_row_stride, args.b_column_stride) = (b, Int64(bRowStride), 1)
    (args.c, args.c_row_stride) = (c, Int64(cRowStride))
    args.epilogue = .plain
    if adds {
      args.epilogue.addend = UnsafePointer<Float>(c)
      args.epilogue.addend_row_stride = args.c_row_stride
    }
    let panel = Int64(pointee.gemm_panel)
    pointee.gemm_direct(&args, 0, args.m, 0, (args.n + panel - 1) / panel)
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
      k_inner_stride: Int64(kStride), n_stride: Int64(nStride), scale: scale, packed: packed, row_begin: 0, row_end: 0,
      paired: 0, interleaved: 0)
  }
}

extension KernelLibrary {
  /// The name of a kernel in profiles, such as `avx2-f32-gemm`.
  package static func name(_ variant: String, type: String = "f32", isa: ISA = active) -> String {
    "\(isa.name)-\(type)-\(variant)"
  }
}
