import CKernelSupport
import DLRTKernels

// kernel-bench [ISA] [TOPIC…]: measures the kernels of one instruction set level, all topics by default.

let topics: [(name: String, run: (Kernels, Double) -> Void)] = [
  ("gemm", benchGemm), ("pack", benchPacking), ("math", benchMath), ("rows", benchRows),
  ("conv", benchConvolution), ("depthwise", benchDepthwise), ("layout", benchLayout), ("recurrent", benchRecurrent),
  ("winograd", benchWinograd),
  ("attention", benchAttention),
]
var arguments = Array(CommandLine.arguments.dropFirst())
var level = KernelLibrary.active
if let first = arguments.first, let isa = ISA(name: first) {
  level = isa
  arguments.removeFirst()
}
let table = KernelLibrary.table(for: level)
let best = peak(table)
print("\(level.name): tiles in the first-level cache \(fixed(best)) GFLOP/s")
for topic in topics where arguments.isEmpty || arguments.contains(topic.name) { topic.run(table, best) }
