import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@Suite struct ReductionTests {
  private static func reduce(
    _ op: String, _ x: Tensor, _ axes: [Int]?, keepDims: Bool = true, emptyMeansNone: Bool = false
  ) throws -> Tensor {
    let axes = try axes.map { try Tensor(int64: $0) }
    return try OperatorRun.tensor(
      op, [x, axes],
      ["keepdims": .int(keepDims ? 1 : 0), "noop_with_empty_axes": .int(emptyMeansNone ? 1 : 0)])
  }

  /// Kernels, generic loops and both ways of walking agree.
  @Test(arguments: [
    ([7], [0]), ([3, 70], [1]), ([70, 3], [0]), ([2, 9, 5], [1]), ([4, 3, 5, 6], [0, 2]), ([4, 3, 5, 6], [1, 3]),
    ([2, 1, 300], [-1]), ([5, 200_000], [1]), ([300_000], [0]), ([2, 3, 4], [0, 1, 2]), ([600, 700], [0]),
  ])
  func agreesWithFloat64(_ shape: [Int], _ axes: [Int]) throws {
    var numbers = RandomNumbers(seed: 5)
    let x = try numbers.tensor(shape)
    for op in ["Sum", "Mean", "Max", "Min", "L1", "L2", "SumSquare", "LogSumExp"] {
      let got = try Self.reduce("Reduce" + op, x, axes)
      #expect(try got.isNear(Self.reduce("Reduce" + op, x.widened, axes)), "\(op)")
    }
  }

  @Test(arguments: [
    ("Sum", 0.0), ("Prod", 1), ("Max", -.infinity), ("Min", .infinity), ("L1", 0), ("L2", 0), ("SumSquare", 0),
    ("LogSum", -.infinity), ("LogSumExp", -.infinity), ("Mean", .nan),
  ])
  func ofNothing(_ op: String, _ expected: Double) throws {
    let expectedTensor = try Tensor([expected, expected], shape: [2, 1])
    for type in [DataType.float32, .float64] {
      let x = try Tensor(zeros: [2, 0], type: type)
      #expect(try Self.reduce("Reduce" + op, x, [1]).isNear(expectedTensor))
    }
  }

  @Test func ofNothingInIntegers() throws {
    let x = try Tensor(zeros: [0], type: .int8)
    #expect(try Self.reduce("ReduceMax", x, nil).array() == [Int8.min])
    #expect(try Self.reduce("ReduceMin", Tensor(zeros: [0], type: .bool), nil).array() == [true])
    #expect(try Self.reduce("ReduceMean", Tensor(zeros: [0], type: .int32), nil).array() == [Int32(0)])
  }

  @Test func withoutAxes() throws {
    let x = try Tensor([Float(3), 4], shape: [2])
    #expect(try Self.reduce("ReduceL2", x, nil).array() == [Float(5)])
    #expect(try Self.reduce("ReduceL2", x, [], keepDims: false).array() == [Float(5)])
    #expect(try Self.reduce("ReduceSumSquare", x, [], emptyMeansNone: true).array() == [Float(9), 16])
    #expect(try Self.reduce("ReduceSum", Tensor(scalar: Float(2)), nil).array() == [Float(2)])
  }

  @Test func integersWrapAndRoundTowardsZero() throws {
    let x = try Tensor([Int32.max, 1, -5], shape: [3])
    #expect(try Self.reduce("ReduceSum", x, nil).array() == [Int32.max - 4])
    #expect(try Self.reduce("ReduceMean", Tensor([Int32(-3), 0], shape: [2]), nil).array() == [Int32(-1)])
    #expect(try Self.reduce("ReduceL1", Tensor([UInt64.max, 2], shape: [2]), nil).array() == [UInt64(1)])
  }

  @Test func logSumExpDoesNotOverflow() throws {
    let x = try Tensor([Float(1000), 1000, -.infinity, -.infinity, .infinity, 0], shape: [3, 2])
    let got = try Self.reduce("ReduceLogSumExp", x, [1], keepDims: false)
    #expect(try got.isNear(Tensor([Float(1000.6931), -.infinity, .infinity], shape: [3])))
  }

  @Test(arguments: [[2], [-3], [0, 0], [0, -2]])
  func axesOutOfRange(_ axes: [Int]) throws {
    #expect(throws: DLRTError.self) { try Self.reduce("ReduceSum", Tensor(zeros: [2, 2], type: .float32), axes) }
  }

  @Test(arguments: [
    ("ArgMax", 0, [Int64(2), 0]), ("ArgMax", 1, [3, 1]), ("ArgMin", 0, [2, 2]), ("ArgMin", 1, [3, 2]),
  ])
  func extremesWithTiesAndNaN(_ op: String, _ last: Int, _ expected: [Int64]) throws {
    let x = try Tensor([Float(1), 5, .nan, .nan, 4, 4, 1, 3], shape: [2, 4])
    let got = try OperatorRun.tensor(op, [x], ["axis": .int(-1), "keepdims": .int(0), "select_last_index": .int(last)])
    #expect(try got.array() == expected)
  }

  @Test func extremeOfNothing() throws {
    #expect(throws: DLRTError.self) {
      try OperatorRun.tensor("ArgMax", [Tensor(zeros: [2, 0], type: .int8)], ["axis": .int(1)])
    }
    #expect(try OperatorRun.tensor("ArgMax", [Tensor(zeros: [0, 2], type: .int8)], ["axis": .int(1)]).shape == [0, 1])
  }
}
