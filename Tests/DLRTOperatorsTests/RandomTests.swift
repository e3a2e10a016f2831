import DLRT
import DLRTGraph
import DLRTOperators
import DLRTTestSupport
import Testing

@Suite struct RandomTests {
  private func draw(
    _ op: String, _ inputs: [Tensor?] = [], _ attributes: [String: Attribute], outputs: Int = 1,
    options: SessionOptions = SessionOptions(threads: 1)
  ) throws -> [Tensor] {
    try OperatorRun.tensors(op, inputs, attributes, outputs: outputs, options: options)
  }

  /// Known answers of the published algorithm.
  @Test func philox() {
    #expect(Philox(key: 0).block(0) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    #expect(
      Philox(key: .max, stream: .max).block(.max) == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
  }

  @Test(arguments: [DataType.float32, .float64, .float16, .bfloat16])
  func moments(_ type: DataType) throws {
    let shape: [String: Attribute] = ["shape": .ints([100_001]), "dtype": .int(Int(type.rawValue)), "seed": .float(3)]
    func numbers(_ op: String, _ more: [String: Attribute]) throws -> [Float] {
      let made = try draw(op, [], shape.merging(more) { $1 })[0]
      return try OperatorRun.tensor("Cast", [made], ["to": .int(1)]).array()
    }
    let uniform = try numbers("RandomUniform", ["low": .float(-1), "high": .float(3)])
    #expect(uniform.allSatisfy { $0 >= -1 && $0 <= 3 })
    #expect(abs(uniform.reduce(0, +) / 100_001 - 1) < 0.02)
    let normal = try numbers("RandomNormal", ["mean": .float(2), "scale": .float(3)])
    let mean = normal.reduce(0, +) / 100_001
    #expect(abs(mean - 2) < 0.05)
    #expect(abs(normal.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 100_001 - 9) < 0.3)
  }

  @Test func seedsAndThreads() throws {
    let attributes: [String: Attribute] = ["shape": .ints([50_003])]
    let seeded = attributes.merging(["seed": .float(1)]) { $1 }
    func values(_ attributes: [String: Attribute], _ options: SessionOptions) throws -> [Float] {
      try draw("RandomNormal", [], attributes, options: options)[0].array()
    }
    let one = try values(seeded, SessionOptions(threads: 1))
    #expect(try values(seeded, SessionOptions(threads: 3)) == one)
    #expect(
      try values(attributes, SessionOptions(threads: 1, seed: 5))
        == values(attributes, SessionOptions(threads: 2, seed: 5)))
    #expect(
      try values(attributes, SessionOptions(threads: 1, seed: 5))
        != values(attributes, SessionOptions(threads: 1, seed: 6)))
  }

  @Test func dropoutTrains() throws {
    let x = try Tensor([Float](repeating: 2, count: 10_000), shape: [100, 100])
    let made = try draw(
      "Dropout", [x, Tensor(scalar: Float(0.25)), Tensor(scalar: true)], ["seed": .int(7)], outputs: 2)
    let y = try made[0].array(of: Float.self)
    let mask = try made[1].array(of: Bool.self)
    #expect(zip(y, mask).allSatisfy { $0 == ($1 ? 2 / 0.75 : 0) })
    #expect(abs(mask.count { $0 } - 7500) < 200)
    let still = try draw("Dropout", [x, Tensor(scalar: Float(0.25)), Tensor(scalar: false)], [:], outputs: 2)
    #expect(try still[0].array(of: Float.self) == x.array(of: Float.self))
    #expect(try still[1].array(of: Bool.self).allSatisfy { $0 })
    for ratio in [Float(1), -0.5, .nan] {
      #expect(throws: DLRTError.self) { try draw("Dropout", [x, Tensor(scalar: ratio), Tensor(scalar: true)], [:]) }
    }
  }

  @Test(arguments: [(1, 1), (6, 1), (7, 0)])
  func oldMasksAreOfTheDatasType(_ version: Int, _ isTest: Int) throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float64, [.symbol("N")])
    let attributes: [String: Attribute] = isTest == 1 ? ["is_test": .int(1)] : ["ratio": .float(0.5)]
    let results = try builder.imported("Dropout", version: version, [x], attributes, outputs: 2)
    builder.output(results[0], results[1])
    let made = try builder.run([.tensor(Tensor([3.0, 4], shape: [2]))])
    #expect(try made[0].tensor?.array(of: Double.self) == [3, 4])
    #expect(try made[1].tensor?.array(of: Double.self) == [1, 1])
  }

  @Test func bernoulliAtTheEnds() throws {
    let p = try Tensor([0.0, 1, 0, 1], shape: [2, 2])
    for type in [DataType.bool, .int64, .float16, .float64] {
      let made = try draw("Bernoulli", [p], ["dtype": .int(Int(type.rawValue))])[0]
      #expect(made.type == type)
      #expect(try OperatorRun.tensor("Cast", [made], ["to": .int(7)]).array() == [Int64(0), 1, 0, 1])
    }
  }

  @Test func multinomial() throws {
    let x = try Tensor([-Float.infinity, 0, -.infinity, 1, 1, -.infinity], shape: [2, 3])
    let made = try draw("Multinomial", [x], ["sample_size": .int(4000), "dtype": .int(7), "seed": .float(2)])[0]
    let rows = try made.array(of: Int64.self)
    #expect(rows.prefix(4000).allSatisfy { $0 == 1 })
    #expect(rows.suffix(4000).allSatisfy { $0 < 2 } && abs(rows.suffix(4000).count { $0 == 0 } - 2000) < 200)
    #expect(throws: DLRTError.self) { try draw("Multinomial", [Tensor(zeros: [2, 0], type: .float32)], [:]) }
    #expect(throws: DLRTError.self) { try draw("Multinomial", [x], ["sample_size": .int(-1)]) }
    #expect(throws: DLRTError.self) { try draw("Multinomial", [x], ["dtype": .int(1)]) }
  }

  @Test func wrongAttributes() {
    #expect(throws: DLRTError.self) { try draw("RandomUniform", [], ["shape": .ints([-1])]) }
    #expect(throws: DLRTError.self) { try draw("RandomUniform", [], ["shape": .ints([.max, .max])]) }
    #expect(throws: DLRTError.self) { try draw("RandomNormal", [], ["shape": .ints([2]), "dtype": .int(7)]) }
    #expect(throws: DLRTError.self) { try draw("RandomNormal", [], [:]) }
  }
}
