import CAllocationProbe
import DLRT
import DLRTGraph
import DLRTTestSupport
import Glibc

// Checks that a run of a known plan into given outputs takes nothing from the heap. A program of its own, since only
// optimised code can promise that: elsewhere the standard library's generic iterators allocate.

/// How often a run allocates on this thread, once it has run before.
func allocations(_ builder: GraphBuilder, _ inputs: [[Int]], _ outputs: [[Int]], threads: Int) throws -> Int64 {
  let session = try Session(builder.model(), options: SessionOptions(threads: threads))
  let inputs: [Value?] = try inputs.map {
    .tensor(try Tensor([Float](repeating: 0.5, count: $0.reduce(1, *)), shape: $0))
  }
  var results: [Value?] = try outputs.map { .tensor(try Tensor(zeros: $0, type: .float32)) }
  let options = RunOptions(cancellation: CancellationToken(), timeoutNanoseconds: 1 << 40)
  for _ in 0..<2 { try session.run(inputs, into: &results, options: options) }
  let before = dlp_allocations()
  try session.run(inputs, into: &results, options: options)
  return dlp_allocations() - before
}

/// Views, moves, elementwise operators, an output that is an input, and a symbol that two inputs share.
func moves() throws -> GraphBuilder {
  var builder = GraphBuilder("moves")
  let x = builder.input("x", .float32, [.symbol("N"), 4])
  let y = builder.input("y", .float32, [.symbol("N"), 4])
  let sum = builder.node("Add", [builder.node("Sin", [x]), y])
  let turned = builder.node("Transpose", [sum])
  builder.output(builder.node("Concat", [turned, turned], ["axis": .int(0)]), x)
  return builder
}

func network() throws -> GraphBuilder {
  var builder = GraphBuilder("network")
  func weight(_ shape: [Int]) throws -> ValueID {
    builder.constant(try Tensor([Float](repeating: 0.25, count: shape.reduce(1, *)), shape: shape))
  }
  let x = builder.input("x", .float32, [1, 4, 12, 12])
  let conv = try builder.node(
    "Conv", [x, weight([8, 4, 3, 3]), weight([8])], ["pads": .ints([1, 1, 1, 1]), "kernel_shape": .ints([3, 3])])
  let pooled = builder.node(
    "MaxPool", [builder.node("Relu", [conv])], ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])])
  let flat = builder.node("Flatten", [pooled])
  let gemm = try builder.node("Gemm", [flat, weight([288, 16]), weight([16])])
  let normal = try builder.node("LayerNormalization", [gemm, weight([16]), weight([16])])
  let sum = builder.node("ReduceSum", [normal, builder.constant(try Tensor(int64: [1]))])
  builder.output(builder.node("Softmax", [builder.node("Add", [normal, sum])]))
  return builder
}

var isFine = true
for threads in [1, 2] {
  for (builder, inputs, outputs) in [
    (try moves(), [[3, 4], [3, 4]], [[8, 3], [3, 4]]), (try network(), [[1, 4, 12, 12]], [[1, 16]]),
  ] {
    let count = try allocations(builder, inputs, outputs, threads: threads)
    print("allocation-check: \(builder.graph.name), \(threads) threads: \(count) allocations in a run")
    if count != 0 { isFine = false }
  }
}
exit(isFine ? 0 : 1)
