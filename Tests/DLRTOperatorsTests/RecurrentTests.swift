import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@Suite struct RecurrentTests {
  struct Network: CustomTestStringConvertible, Sendable {
    let op: String
    let gates: Int
    var attributes: [String: Attribute] = [:]
    var testDescription: String { "\(op) \(attributes)" }
  }

  static let networks = [
    Network(op: "RNN", gates: 1), Network(op: "GRU", gates: 3),
    Network(op: "GRU", gates: 3, attributes: ["linear_before_reset": .int(1)]), Network(op: "LSTM", gates: 4),
    Network(op: "LSTM", gates: 4, attributes: ["input_forget": .int(1), "clip": .float(0.4)]),
  ]

  private static func operands(
    _ network: Network, _ numbers: inout RandomNumbers, hidden: Int, lengths: [Int32]?
  ) throws -> [Tensor?] {
    let (steps, batch, size, gates) = (5, 3, 4, network.gates * hidden)
    var inputs: [Tensor?] = [
      try numbers.tensor([steps, batch, size]), try numbers.tensor([2, gates, size]),
      try numbers.tensor([2, gates, hidden]), try numbers.tensor([2, 2 * gates]),
      try lengths.map { try Tensor($0, shape: [batch]) }, try numbers.tensor([2, batch, hidden]),
    ]
    if network.op == "LSTM" {
      inputs += [try numbers.tensor([2, batch, hidden]), try numbers.tensor([2, 3 * hidden])]
    }
    return inputs
  }

  private static func run(
    _ network: Network, _ inputs: [Tensor?], constants: Set<Int> = [], extra: [String: Attribute] = [:],
    threads: Int = 1
  ) throws -> [Tensor] {
    let attributes = network.attributes.merging(["direction": .string("bidirectional")]) { $1 }.merging(extra) { $1 }
    return try OperatorRun.tensors(
      network.op, inputs, attributes, constants: constants, outputs: network.op == "LSTM" ? 3 : 2,
      options: SessionOptions(threads: threads))
  }

  @Test(arguments: networks, [[5, 2, 0], nil] as [[Int32]?])
  func agreesWithFloat64(_ network: Network, _ lengths: [Int32]?) throws {
    // The last is large enough for threads to share a direction.
    for hidden in [1, 19, 64, 130] {
      var numbers = RandomNumbers(seed: 8)
      let inputs = try Self.operands(network, &numbers, hidden: hidden, lengths: lengths)
      let wide = try inputs.map { try $0?.type == .float32 ? $0?.widened : $0 }
      let expected = try Self.run(network, wide)
      for (constants, threads) in [([], 1), ([1, 2, 3], 1), ([1, 2], 2), ([1, 2], 4)] as [(Set<Int>, Int)] {
        let got = try Self.run(network, inputs, constants: constants, threads: threads)
        for (a, b) in zip(got, expected) { #expect(try a.isNear(b), "hidden \(hidden), constants \(constants)") }
      }
    }
  }

  /// Threads that share one sequence begin a step before the others have ended theirs; the sums stay the same.
  @Test(arguments: [networks[2], networks[3]], [200, 250, 500])
  func threadsChangeNothing(_ network: Network, _ hidden: Int) throws {
    for directions in [1, 2] {
      var numbers = RandomNumbers(seed: 12)
      let gates = network.gates * hidden
      let inputs = [
        try numbers.tensor([17, 1, 4]), try numbers.tensor([directions, gates, 4]),
        try numbers.tensor([directions, gates, hidden]), try numbers.tensor([directions, 2 * gates]),
      ]
      let extra = ["direction": Attribute.string(directions == 1 ? "reverse" : "bidirectional")]
      let alone = try Self.run(network, inputs, constants: [1, 2, 3], extra: extra)[0].array(of: Float.self)
      for threads in [2, 3, 4, 2, 2, 2] {
        let got = try Self.run(network, inputs, constants: [1, 2, 3], extra: extra, threads: threads)[0]
        #expect(try got.array(of: Float.self) == alone, "\(directions) directions, \(threads) threads")
      }
    }
  }

  @Test(arguments: networks)
  func batchFirst(_ network: Network) throws {
    var numbers = RandomNumbers(seed: 9)
    var inputs = try Self.operands(network, &numbers, hidden: 6, lengths: [4, 5, 1])
    let expected = try Self.run(network, inputs)
    func swapped(_ tensor: Tensor?, _ axes: [Int]) throws -> Tensor? {
      try tensor.map { try OperatorRun.tensor("Transpose", [$0], ["perm": .ints(axes)]) }
    }
    for index in [0, 5, 6] where index < inputs.count { inputs[index] = try swapped(inputs[index], [1, 0, 2]) }
    let got = try Self.run(network, inputs, extra: ["layout": .int(1)])
    #expect(try got[0].isNear(swapped(expected[0], [2, 0, 1, 3]) ?? expected[0], 0))
    for index in 1..<got.count {
      #expect(try got[index].isNear(swapped(expected[index], [1, 0, 2]) ?? expected[index], 0))
    }
  }

  /// Only the last states wanted: outputs of steps go nowhere else.
  @Test(arguments: networks, [[5, 2, 0], nil] as [[Int32]?])
  func lastStatesWithoutOutputs(_ network: Network, _ lengths: [Int32]?) throws {
    var numbers = RandomNumbers(seed: 13)
    let inputs = try Self.operands(network, &numbers, hidden: 17, lengths: lengths)
    let expected = try Self.run(network, inputs)
    var builder = GraphBuilder()
    let values = inputs.enumerated().map { index, tensor in
      tensor.map { builder.input("i\(index)", $0.type, Shape($0.shape)) }
    }
    let attributes = network.attributes.merging(["direction": .string("bidirectional")]) { $1 }
    let results = builder.nodes(network.op, values, attributes, outputs: expected.count)
    for result in results.dropFirst() { builder.output(result) }
    let got = try builder.run(inputs.compactMap { $0.map { .tensor($0) } }).compactMap(\.tensor)
    for (a, b) in zip(got, expected.dropFirst()) { #expect(try a.isNear(b, 0)) }
  }

  @Test func paddingIsZeroAndStatesStop() throws {
    var numbers = RandomNumbers(seed: 10)
    let network = Self.networks[3]
    let inputs = try Self.operands(network, &numbers, hidden: 2, lengths: [5, 2, 0])
    let got = try Self.run(network, inputs)
    let y = try got[0].array(of: Float.self)
    // Y is [steps, directions, batch, hidden].
    for step in 2..<5 { #expect(y[(step * 6 + 1) * 2..<(step * 6 + 2) * 2].allSatisfy { $0 == 0 }) }
    // A sequence without steps keeps its initial state.
    let initial = try inputs[5]?.array(of: Float.self) ?? []
    #expect(try Array(got[1].array(of: Float.self)[4..<6]) == Array(initial[4..<6]))
  }

  @Test(arguments: [[6, 1, 1], [-1, 1, 1]] as [[Int32]])
  func lengthsOutOfRange(_ lengths: [Int32]) throws {
    var numbers = RandomNumbers(seed: 11)
    let inputs = try Self.operands(Self.networks[3], &numbers, hidden: 2, lengths: lengths)
    #expect(throws: DLRTError.self) { try Self.run(Self.networks[3], inputs) }
  }

  @Test func wrongShapesAndNames() throws {
    var numbers = RandomNumbers(seed: 12)
    let network = Self.networks[3]
    let inputs = try Self.operands(network, &numbers, hidden: 2, lengths: nil)
    for index in [1, 2, 3, 5, 6, 7] {
      var wrong = inputs
      wrong[index] = try Tensor(zeros: [1] + (inputs[index]?.shape.dropFirst() ?? []), type: .float32)
      #expect(throws: DLRTError.self) { try Self.run(network, wrong) }
    }
    for attribute in [
      ["direction": Attribute.string("sideways")], ["activations": .strings(["Tanh"])], ["hidden_size": .int(3)],
      ["activations": .strings(Array(repeating: "Cosine", count: 6))],
    ] {
      #expect(throws: DLRTError.self) { try Self.run(network, inputs, extra: attribute) }
    }
  }
}
