import DLRT
import DLRTGraph
import DLRTOperators
import DLRTTestSupport
import Testing

/// Outputs that nobody reads: their operators make them all the same, and write over nothing else.
@Suite struct UnreadOutputTests {
  private struct Case {
    let op: String
    let shapes: [[Int]]
    var attributes: [String: Attribute] = [:]
    var outputs = 2
    var last: Tensor?
  }

  private static func cases() throws -> [Case] {
    try [
      Case(op: "LayerNormalization", shapes: [[64, 333], [333]], outputs: 3),
      Case(op: "DynamicQuantizeLinear", shapes: [[70, 1000]], outputs: 3),
      Case(op: "Dropout", shapes: [[70, 1000]]),
      Case(op: "MaxPool", shapes: [[2, 3, 40, 50]], attributes: ["kernel_shape": .ints([3, 3])]),
      Case(op: "TopK", shapes: [[50, 70]], last: Tensor(int64: [60])),
      Case(op: "Unique", shapes: [[3000]], outputs: 4),
      Case(
        op: "SoftmaxCrossEntropyLoss", shapes: [[300, 5, 100]], attributes: ["reduction": .string("none")],
        last: Tensor((0..<30_000).map { Int64($0 % 5) }, shape: [300, 100])),
      Case(
        op: "LinearAttention", shapes: [[2, 50, 64], [2, 50, 64], [2, 50, 64]],
        attributes: ["q_num_heads": .int(4), "kv_num_heads": .int(4), "update_rule": .string("linear")]),
    ]
  }

  @Test(arguments: [true, false]) func eachByItself(_ optimizes: Bool) throws {
    for test in try Self.cases() {
      let read = try (0..<test.outputs).map { try results(test, [$0], optimizes)[0] }
      for (alone, together) in zip(read, try results(test, Array(0..<test.outputs), optimizes)) {
        #expect(alone.shape == together.shape && bytes(alone) == bytes(together), "\(test.op)")
      }
    }
  }

  private func bytes(_ tensor: Tensor) -> [UInt8] { tensor.withUnsafeBytes { Array($0) } }

  private func results(_ test: Case, _ outputs: [Int], _ optimizes: Bool) throws -> [Tensor] {
    var numbers = RandomNumbers(seed: 5)
    var tensors = try test.shapes.map { try numbers.tensor($0) }
    if let last = test.last { tensors.append(last) }
    var b = GraphBuilder()
    let inputs = tensors.enumerated().map { b.input("i\($0)", $1.type, Shape($1.shape)) }
    let made = b.nodes(test.op, inputs, test.attributes, outputs: test.outputs)
    for output in outputs { b.output(made[output]) }
    let session = try Session(b.model(optimizes: optimizes), options: SessionOptions(threads: 2))
    return try session.run(tensors.map { .tensor($0) }).compactMap(\.tensor)
  }
}
