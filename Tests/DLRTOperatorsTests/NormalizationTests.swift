import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@Suite struct NormalizationTests {
  /// Of a normalisation whose mean and deviation are all that somebody reads.
  @Test(arguments: [DataType.float32, .float64, .float16], [1, 2])
  func resultThatNobodyReads(_ type: DataType, _ read: Int) throws {
    var numbers = RandomNumbers(seed: 3)
    let tensors = try [numbers.tensor([30, 7, 33]), numbers.tensor([7, 33])]
    var b = GraphBuilder()
    let given = tensors.enumerated().map { index, tensor in
      b.node(
        "Cast", [b.input("i\(index)", .float32, Shape(tensor.shape))], ["to": .int(Int(type.rawValue))])
    }
    let made = b.nodes("LayerNormalization", given, ["axis": .int(1)], outputs: 3)
    let all = b.nodes("LayerNormalization", given, ["axis": .int(-2)], outputs: 3)
    b.output(made[read], all[read], b.node("Cast", [all[0]], ["to": .int(Int(DataType.float32.rawValue))]))
    let results = try b.run(tensors.map { .tensor($0) }).compactMap(\.tensor)
    #expect(try results[0].isNear(results[1], 1e-6))
  }

  @Test(arguments: [
    ([3, 70], -1), ([70, 3], 0), ([2, 5, 130], 1), ([2, 3, 4, 5], 2), ([4], 0), ([2, 0], 1), ([0, 3], 1),
    ([70, 1], 1), ([3, 1, 25], 1), ([1, 40], 0), ([0, 1, 3], 1), ([50, 2], 1), ([3, 2, 5], 1),
  ])
  func softmaxAgreesWithFloat64(_ shape: [Int], _ axis: Int) throws {
    var numbers = RandomNumbers(seed: 6)
    let x = try OperatorRun.tensor("Mul", [numbers.tensor(shape), Tensor(scalar: Float(30))])
    for op in ["Softmax", "LogSoftmax", "Hardmax"] {
      let got = try OperatorRun.tensor(op, [x], ["axis": .int(axis)])
      #expect(try got.isNear(OperatorRun.tensor(op, [x.widened], ["axis": .int(axis)])), "\(op)")
    }
  }

  @Test func softmaxOfLargeNumbersAndScalars() throws {
    let x = try Tensor([Float(1e4), 1e4, -1e4, -.infinity], shape: [1, 4])
    #expect(try OperatorRun.tensor("Softmax", [x]).array() == [Float(0.5), 0.5, 0, 0])
    #expect(try OperatorRun.tensor("Softmax", [Tensor(scalar: Float(7))]).array() == [Float(1)])
    #expect(throws: DLRTError.self) { try OperatorRun.tensor("Softmax", [x], ["axis": .int(2)]) }
  }

  @Test(arguments: [DataType.float16, .bfloat16, .float32, .float64]) func softmaxOfOneElement(_ type: DataType) throws
  {
    let numbers = try Tensor([Float(3), -1e4, .nan, .infinity, -.infinity, 0], shape: [6])
    let x = try OperatorRun.tensor("Cast", [numbers], ["to": .int(Int(type.rawValue))])
    for (shape, axis) in [([6, 1], 1), ([2, 1, 3], 1), ([1, 6], 0), ([2, 3, 1, 1], -2)] {
      for (op, value) in [("Softmax", Float(1)), ("LogSoftmax", 0)] {
        let result = try OperatorRun.tensor(op, [x.reshaped(shape)], ["axis": .int(axis)])
        let got = try OperatorRun.tensor("Cast", [result], ["to": .int(1)]).array(of: Float.self)
        #expect(got.map(\.isNaN) == [false, false, true, true, true, false], "\(op) \(shape)")
        #expect([got[0], got[1], got[5]] == [value, value, value], "\(op) \(shape)")
      }
    }
  }

  /// Factors may be whole rows, parts of them, or differ from row to row.
  @Test(arguments: [[4, 5], [5], [1], [], [4, 1], [3, 1, 1], [2, 3, 4, 5], [2, 1, 1, 5]])
  func factorsThatBroadcast(_ factors: [Int]) throws {
    var numbers = RandomNumbers(seed: 7)
    let x = try numbers.tensor([2, 3, 4, 5])
    let scale = try numbers.tensor(factors)
    let bias = try numbers.tensor(factors)
    let one = try Tensor([Float](repeating: 1, count: 20), shape: [4, 5])
    let plain = try OperatorRun.tensor("LayerNormalization", [x, one], ["axis": .int(2)])
    let expected = try OperatorRun.tensor("Add", [OperatorRun.tensor("Mul", [plain, scale]), bias])
    #expect(try OperatorRun.tensor("LayerNormalization", [x, scale, bias], ["axis": .int(-2)]).isNear(expected))
    let root = try OperatorRun.tensor("RMSNormalization", [x, one], ["axis": .int(2)])
    let scaled = try OperatorRun.tensor("Mul", [root, scale])
    #expect(try OperatorRun.tensor("RMSNormalization", [x, scale], ["axis": .int(2)]).isNear(scaled))
  }

  @Test func statistics() throws {
    let x = try Tensor([Float(1), 3, 5, 5], shape: [2, 2])
    let one = try Tensor([Float(1), 1], shape: [2])
    let got = try OperatorRun.tensors(
      "LayerNormalization", [x, one], ["epsilon": .float(0.25)], outputs: 3)
    #expect(got[1].shape == [2, 1])
    #expect(try got[1].array() == [Float(2), 5])
    #expect(try got[2].isNear(Tensor([Float(0.8944272), 2], shape: [2, 1])))
    let wide = try OperatorRun.tensors("LayerNormalization", [x.widened, one.widened], outputs: 2)
    #expect(try wide[1].array() == [Float(2), 5])
  }

  @Test func factorsThatEnlarge() throws {
    let x = try Tensor(zeros: [2, 3], type: .float32)
    for shape in [[2], [2, 2, 3], [4, 3]] {
      #expect(throws: DLRTError.self) {
        try OperatorRun.tensor("LayerNormalization", [x, Tensor(zeros: shape, type: .float32)])
      }
    }
  }
}
