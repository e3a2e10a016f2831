import CKernelSupport
import DLRTKernels
import Glibc

typealias Kernels = UnsafePointer<dlk_kernel_table>

func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// The shortest of many runs, in seconds.
func shortest(_ body: () -> Void) -> Double {
  body()
  let start = now()
  body()
  let repeats = max(1, min(1_000_000, Int(0.004 / max(now() - start, 1e-9))))
  var best = Double.infinity
  let deadline = now() + 0.15
  repeat {
    let start = now()
    for _ in 0..<repeats { body() }
    best = min(best, (now() - start) / Double(repeats))
  } while now() < deadline
  return best
}

/// Memory aligned to a cache line, filled with small numbers, never freed.
func buffer(_ count: Int) -> UnsafeMutablePointer<Float> {
  let raw = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4 + 64, alignment: 64)
  let floats = raw.bindMemory(to: Float.self, capacity: max(count, 1))
  for i in 0..<count { floats[i] = Float(i % 13 - 6) / 16 }
  return floats
}

func fixed(_ value: Double, _ digits: Int = 1) -> String {
  let scale = pow(10.0, Double(digits))
  let rounded = (value * scale).rounded() / scale
  return digits == 0 ? "\(Int(rounded))" : "\(rounded)"
}

func padded(_ text: String, _ width: Int) -> String {
  text.count >= width ? text : text + String(repeating: " ", count: width - text.count)
}

/// A product whose operands stay in the first-level cache: what the level's arithmetic can reach at most, in GFLOP/s.
func peak(_ kernels: Kernels) -> Double {
  // Many tiles over the same rows of A: a call's own cost does not count.
  let panel = Int(kernels.pointee.gemm_panel), rows = 16 * Int(kernels.pointee.gemm_rows), depth = 128
  let a = buffer(depth), b = buffer(panel * depth), c = buffer(rows * panel)
  var args = dlk_gemm_args()
  (args.m, args.n, args.k) = (Int64(rows), Int64(panel), Int64(depth))
  (args.a, args.a_row_stride, args.b) = (UnsafePointer(a), 0, UnsafePointer(b))
  (args.c, args.c_row_stride, args.epilogue) = (c, Int64(panel), .plain)
  let seconds = shortest { kernels.pointee.gemm(&args, 0, Int64(rows), 0, 1) }
  return Double(2 * rows * panel * depth) / seconds / 1e9
}
