import CKernelSupport
import DLRTKernels

func benchRecurrent(_ kernels: Kernels, _ peak: Double) {
  for (name, gates, hidden, batch) in [
    ("lstm", 4, 128, 1), ("lstm", 4, 256, 1), ("lstm", 4, 256, 8), ("gru", 3, 512, 1), ("gru", 3, 512, 4),
  ] {
    let projected = buffer(batch * gates * hidden), weights = buffer(gates * hidden * (hidden + 64))
    let h = buffer(batch * hidden), out = buffer(batch * hidden), c = buffer(batch * hidden)
    var args = dlk_recurrent_args()
    (args.batch, args.hidden, args.gates) = (Int64(batch), Int64(hidden), UnsafePointer(projected))
    (args.gates_row_stride, args.weights) = (Int64(gates * hidden), UnsafePointer(weights))
    (args.h, args.h_row_stride, args.out, args.out_row_stride) = (UnsafePointer(h), Int64(hidden), out, Int64(hidden))
    (args.c, args.c_row_stride) = (c, Int64(hidden))
    let width = Int64(kernels.pointee.vector_floats), panels = (Int64(hidden) + width - 1) / width
    let seconds = shortest {
      args.descending = 1 - args.descending
      if gates == 4 { kernels.pointee.lstm_step(&args, 0, panels) } else { kernels.pointee.gru_step(&args, 0, panels) }
    }
    let bytes = Double(4 * gates * hidden * hidden)
    print(
      padded("\(name) step \(hidden), batch \(batch)", 26), "\(fixed(seconds * 1e6, 2)) µs",
      "weights at \(fixed(bytes / seconds / 1e9)) GB/s, \(fixed(bytes / 2 * Double(batch) / seconds / 1e9)) GFLOP/s")
  }
}

func benchAttention(_ kernels: Kernels, _ peak: Double) {
  for (queries, keys, depth, heads) in [
    (128, 128, 64, 12), (512, 512, 64, 4), (2048, 2048, 64, 1), (1, 2048, 64, 8), (197, 197, 64, 12),
    (128, 128, 32, 12),
  ] {
    let width = depth * heads
    let q = buffer(queries * width), k = buffer(keys * width), v = buffer(keys * width), out = buffer(queries * width)
    let packed = buffer(heads * Int(kernels.pointee.packed_b_floats(Int64(depth), Int64(keys))))
    let workspace = buffer(Int(kernels.pointee.attention_workspace_floats(Int64(keys))))
    let size = Int(kernels.pointee.packed_b_floats(Int64(depth), Int64(keys)))
    func pack() {
      for head in 0..<heads {
        var args = dlk_pack_b_args(
          k + head * depth, k: depth, n: keys, kStride: 1, nStride: width, packed: packed + head * size)
        kernels.pointee.pack_b(&args, 0, panels(kernels, keys))
      }
    }
    func attend() {
      for head in 0..<heads {
        var args = dlk_attention_args()
        (args.queries, args.keys, args.depth, args.value_depth) = (
          Int64(queries), Int64(keys), Int64(depth), Int64(depth)
        )
        (args.q, args.q_row_stride) = (UnsafePointer(q + head * depth), Int64(width))
        (args.k, args.v, args.v_row_stride) = (
          UnsafePointer(packed + head * size), UnsafePointer(v + head * depth), Int64(width)
        )
        (args.out, args.out_row_stride, args.scale) = (out + head * depth, Int64(width), 0.125)
        args.k_packed = 1
        args.workspace = workspace
        kernels.pointee.attention(&args, 0, Int64(queries))
      }
    }
    let packing = shortest(pack), seconds = shortest(attend)
    let rate = Double(4 * queries * keys * depth * heads) / seconds / 1e9
    print(
      padded("attention \(heads) × \(queries)×\(keys)×\(depth)", 30),
      "\(fixed(seconds * 1e6)) µs  \(fixed(rate)) GFLOP/s",
      "(\(fixed(100 * rate / peak, 0))%), packing keys \(fixed(packing * 1e6)) µs")
  }
}
