import CKernelSupport
import DLRTKernels

func panels(_ kernels: Kernels, _ n: Int) -> Int64 {
  let width = Int64(kernels.pointee.gemm_panel)
  return (Int64(n) + width - 1) / width
}

func benchGemm(_ kernels: Kernels, _ peak: Double) {
  let shapes = [
    (128, 768, 768), (128, 3072, 768), (128, 768, 3072), (16, 768, 768), (16, 3072, 768), (512, 512, 512),
    (3136, 64, 64), (3136, 256, 64), (784, 512, 128), (196, 1024, 256), (49, 2048, 512), (49, 512, 2048),
    (3136, 24, 96), (3136, 144, 24), (784, 32, 192), (196, 96, 576), (49, 320, 960), (1, 1000, 2048), (1, 4096, 4096),
    (4, 4096, 1024), (197, 768, 768), (197, 768, 3072), (197, 3072, 768), (384, 384, 384), (7, 100, 33),
  ]
  for (m, n, k) in shapes {
    let a = buffer(m * k), b = buffer(k * n), c = buffer(m * n), bias = buffer(n)
    let packed = buffer(Int(kernels.pointee.packed_b_floats(Int64(k), Int64(n))))
    var pack = dlk_pack_b_args(b, k: k, n: n, kStride: n, nStride: 1, packed: packed)
    let packing = shortest { kernels.pointee.pack_b(&pack, 0, panels(kernels, n)) }
    var args = dlk_gemm_args()
    (args.m, args.n, args.k) = (Int64(m), Int64(n), Int64(k))
    (args.a, args.a_row_stride, args.b) = (UnsafePointer(a), Int64(k), UnsafePointer(packed))
    (args.c, args.c_row_stride, args.epilogue) = (c, Int64(n), .plain)
    args.epilogue.bias = UnsafePointer(bias)
    func rate() -> String {
      let seconds = shortest { kernels.pointee.gemm(&args, 0, Int64(m), 0, panels(kernels, n)) }
      let flops = Double(2 * m * n * k) / seconds / 1e9
      return padded("\(fixed(flops)) (\(fixed(100 * flops / peak, 0))%)", 14)
    }
    var line = padded("gemm \(m)×\(n)×\(k)", 22) + rate()
    args.epilogue.activation = DLK_UNARY_RELU
    line += " relu " + rate()
    args.epilogue.activation = DLK_UNARY_GELU_ERF
    line += " gelu " + rate()
    args.epilogue.activation = DLK_UNARY_IDENTITY
    if let balanceB = kernels.pointee.balance_b, let pairB = kernels.pointee.pair_b {
      let pairs = buffer(Int(kernels.pointee.paired_b_floats(Int64(k), Int64(n))))
      pack.paired = 1
      pack.packed = pairs
      let pairing = shortest {
        kernels.pointee.pack_b(&pack, 0, panels(kernels, n))
        balanceB(Int64(k), Int64(n), pairs, 0, Int64(k))
        pairB(Int64(k), Int64(n), pairs, 0, panels(kernels, n))
      }
      args.b = UnsafePointer(pairs)
      args.paired = 1
      args.workspace = buffer(Int(kernels.pointee.paired_workspace_floats(Int64(m), Int64(k))))
      line += " pairs " + rate() + " pack \(fixed(Double(8 * k * n) / pairing / 1e9)) GB/s"
      args.paired = 0
    }
    (args.b, args.b_row_stride, args.b_column_stride) = (UnsafePointer(b), Int64(n), 1)
    let direct = shortest { kernels.pointee.gemm_direct(&args, 0, Int64(m), 0, panels(kernels, n)) }
    line += " direct \(fixed(Double(2 * m * n * k) / direct / 1e9))"
    line += "  pack \(fixed(Double(8 * k * n) / packing / 1e9)) GB/s"
    if m == 1 {
      args.b = UnsafePointer(packed)
      let seconds = shortest { kernels.pointee.gemm(&args, 0, 1, 0, panels(kernels, n)) }
      line += "  b read at \(fixed(Double(4 * n * k) / seconds / 1e9)) GB/s"
    }
    print(line)
  }
}

func benchPacking(_ kernels: Kernels, _ peak: Double) {
  for (k, n, taps) in [(768, 768, 1), (512, 2048, 1), (512, 512, 9), (64, 64, 9)] {
    let b = buffer(k * n * taps)
    let packed = buffer(Int(kernels.pointee.packed_b_floats(Int64(k * taps), Int64(n))))
    for (name, kStride, tapStride, nStride) in [("[k][n]", n, k * n, 1), ("[n][k]", taps, 1, k * taps)] {
      var args = dlk_pack_b_args(
        source: b, k_outer: Int64(taps), k_inner: Int64(k), n: Int64(n),
        k_outer_stride: Int64(tapStride),
        k_inner_stride: Int64(kStride), n_stride: Int64(nStride), scale: 1, packed: packed, row_begin: 0, row_end: 0,
        paired: 0, interleaved: 0)
      let seconds = shortest { kernels.pointee.pack_b(&args, 0, panels(kernels, n)) }
      print("pack \(k)×\(n) taps \(taps) \(name): \(fixed(Double(8 * k * n * taps) / seconds / 1e9)) GB/s")
    }
  }
  for (channels, n) in [(64, 64), (256, 256), (512, 512)] {
    let weights = buffer(channels * n * 9)
    for tile in winogradTiles(kernels) {
      let packed = buffer(Int(kernels.pointee.packed_winograd_floats(Int64(tile), Int64(channels), Int64(n))))
      var args = dlk_pack_winograd_args()
      (args.tile, args.channels, args.planes, args.n) = (Int64(tile), Int64(channels), 1, Int64(n))
      (args.source, args.packed) = (UnsafeRawPointer(weights), packed)
      let seconds = shortest { kernels.pointee.pack_winograd(&args, 0, panels(kernels, n)) }
      let bytes = Double(4 * channels * n * (9 + (tile + 2) * (tile + 2)))
      print("pack Winograd F\(tile) \(channels)→\(n): \(fixed(bytes / seconds / 1e9)) GB/s")
    }
  }
}
