import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

private func int64(_ values: [Int], _ shape: [Int]? = nil) throws -> Tensor {
  try Tensor(int64: values, shape: shape ?? [values.count])
}

private func floats(_ values: [Float], _ shape: [Int]) throws -> Tensor { try Tensor(values, shape: shape) }

private func counting(_ shape: [Int]) throws -> Tensor { try int64(Array(0..<shape.product), shape) }

/// The code with which a node is refused, at load or in its run.
private func refusal(
  _ op: String, _ inputs: [Tensor?], _ attributes: [String: Attribute] = [:], constants: Set<Int> = [], outputs: Int = 1
) -> DLRTError.Code? {
  do {
    _ = try OperatorRun.tensors(op, inputs, attributes, constants: constants, outputs: outputs)
    return nil
  } catch { return (error as? DLRTError)?.code }
}

@Suite struct IndexChecks {
  @Test(arguments: [3, -4, Int(Int64.max), Int(Int64.min)], [true, false])
  func outOfRange(_ index: Int, _ isConstant: Bool) throws {
    let data = try counting([3, 2])
    let constants: Set<Int> = isConstant ? [1] : []
    #expect(refusal("Gather", [data, try int64([0, index])], constants: constants) == .invalidInput)
    #expect(refusal("GatherElements", [data, try int64([0, index], [1, 2])], constants: constants) == .invalidInput)
    #expect(refusal("GatherND", [data, try int64([0, 1, index, 0], [2, 2])], constants: constants) == .invalidInput)
    let row = try int64([7, 8], [1, 2])
    #expect(
      refusal("ScatterElements", [data, try int64([0, index], [1, 2]), row], constants: constants) == .invalidInput)
    #expect(refusal("ScatterND", [data, try int64([index], [1, 1]), row], constants: constants) == .invalidInput)
  }

  @Test func lengthsAndPositions() throws {
    let data = try counting([3, 2])
    for length in [4, -1] {
      #expect(refusal("ReverseSequence", [data, try int64([3, length])]) == .invalidInput)
    }
    let cache = try counting([1, 4, 1])
    let update = try counting([1, 2, 1])
    for start in [3, -1, Int(Int64.max)] {
      #expect(refusal("TensorScatter", [cache, update, try int64([start])]) == .invalidInput)
    }
    let wrapped = try OperatorRun.tensor(
      "TensorScatter", [cache, update, try int64([-1])], ["mode": .string("circular")])
    #expect(wrapped.integers == [1, 1, 2, 0])
  }

  @Test func indicesCountFromTheEnd() throws {
    let data = try counting([3, 2])
    #expect(try OperatorRun.tensor("Gather", [data, int64([-1, 0])]).integers == [4, 5, 0, 1])
    #expect(try OperatorRun.tensor("GatherND", [data, int64([-1, -2], [1, 2])]).integers == [4])
  }
}

@Suite struct ShapeErrors {
  @Test func reshape() throws {
    let data = try counting([2, 3])
    for shape in [[7], [-1, -1], [4, -1], [2, -2], [2, 3, 0]] {
      #expect(refusal("Reshape", [data, try int64(shape)], constants: [1]) == .invalidModel, "\(shape)")
      #expect(refusal("Reshape", [data, try int64(shape)]) == .invalidModel, "\(shape) from the run")
    }
    #expect(refusal("Reshape", [data, try int64([0, -1])], ["allowzero": .int(1)]) == .invalidModel)
  }

  @Test func axesAndSizes() throws {
    let data = try counting([2, 3])
    #expect(refusal("Transpose", [data], ["perm": .ints([0, 0])]) == .invalidModel)
    #expect(refusal("Concat", [data, try counting([3, 3])], ["axis": .int(1)]) == .invalidModel)
    #expect(refusal("Concat", [data], ["axis": .int(2)]) == .invalidModel)
    #expect(refusal("Split", [data, try int64([1, 1])], ["axis": .int(1)], outputs: 2) == .invalidModel)
    #expect(refusal("Split", [data], ["axis": .int(1)], outputs: 2) == .invalidModel)
    #expect(refusal("Squeeze", [data, try int64([0])]) == .invalidModel)
    #expect(refusal("Unsqueeze", [data, try int64([0, 0])]) == .invalidModel)
    #expect(refusal("Slice", [data, try int64([0]), try int64([1]), nil, try int64([0])]) == .invalidModel)
    #expect(refusal("Tile", [data, try int64([1])]) == .invalidModel)
    #expect(refusal("Expand", [data, try int64([2, 4])]) == .invalidModel)
    #expect(refusal("TopK", [data, try int64([4])], outputs: 2) == .invalidModel)
    #expect(refusal("DepthToSpace", [try counting([1, 3, 2, 2])], ["blocksize": .int(2)]) == .invalidModel)
    #expect(refusal("ConstantOfShape", [try int64([2, -1])]) == .invalidModel)
  }

  @Test func hugeSizes() throws {
    let large = Int(Int64.max / 2)
    #expect(refusal("ConstantOfShape", [try int64([large, large])]) == .limitExceeded)
    #expect(refusal("Tile", [try counting([2, 3]), try int64([large, large])]) == .limitExceeded)
    #expect(
      refusal("Range", [try int64([Int.min], []), try int64([Int.max], []), try int64([1], [])]) == .limitExceeded)
    #expect(refusal("Range", [try int64([0], []), try int64([1], []), try int64([0], [])]) == .invalidInput)
    let nan = try floats([.nan], [])
    #expect(refusal("Range", [try floats([0], []), nan, try floats([1], [])]) == .limitExceeded)
  }
}

@Suite struct ElementMoves {
  @Test(arguments: [DataType.uint8, .float16, .float32, .float64, .complex128])
  func transposesOfAnySize(_ type: DataType) throws {
    let (rows, columns) = (37, 19)
    var source = try Tensor(zeros: [2, rows, columns], type: type)
    let size = type.size
    try source.withUnsafeMutableBytes { bytes in
      for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index &* 7 &+ index >> 8) }
    }
    let result = try OperatorRun.tensor("Transpose", [source], ["perm": .ints([0, 2, 1])])
    #expect(result.shape == [2, columns, rows])
    let isEqual = source.withUnsafeBytes { old in
      result.withUnsafeBytes { new in
        (0..<2 * rows * columns).allSatisfy { index in
          let (plane, row, column) = (index / (rows * columns), index / columns % rows, index % columns)
          let other = (plane * columns + column) * rows + row
          return (0..<size).allSatisfy { old[index * size + $0] == new[other * size + $0] }
        }
      }
    }
    #expect(isEqual)
  }

  @Test(arguments: [
    ([5], [0], -2, [5, 3, 1]), ([-100], [-100], -1, [0]), ([0], [100], 2, [0, 2, 4]),
    ([Int.min], [Int.max], Int.max, [0]), ([4], [Int.min], Int.min, [4]), ([2], [2], 1, []),
  ])
  func sliceBounds(_ starts: [Int], _ ends: [Int], _ step: Int, _ expected: [Int]) throws {
    let inputs = [try counting([6]), try int64(starts), try int64(ends), try int64([0]), try int64([step])]
    #expect(try OperatorRun.tensor("Slice", inputs).integers == expected)
    #expect(try OperatorRun.tensor("Slice", inputs, constants: [1, 2, 3, 4]).integers == expected)
  }

  @Test func emptyTensors() throws {
    let empty = try Tensor(zeros: [0, 3], type: .float32)
    #expect(try OperatorRun.tensor("Transpose", [empty]).shape == [3, 0])
    #expect(try OperatorRun.tensor("Reshape", [empty, int64([0, -1])]).shape == [0, 3])
    #expect(try OperatorRun.tensor("Concat", [empty, empty], ["axis": .int(1)]).shape == [0, 6])
    #expect(try OperatorRun.tensor("Gather", [empty, int64([])]).shape == [0, 3])
    #expect(try OperatorRun.tensor("NonZero", [empty]).shape == [2, 0])
    #expect(try OperatorRun.tensor("Slice", [empty, int64([0]), int64([-9]), nil, int64([-1])]).shape == [0, 3])
    #expect(try OperatorRun.tensors("Unique", [empty], outputs: 4).map(\.shape) == [[0], [0], [0], [0]])
    #expect(try OperatorRun.tensors("TopK", [empty, int64([0])], ["axis": .int(0)], outputs: 2)[1].shape == [0, 3])
    let padded = try OperatorRun.tensor("Pad", [empty, int64([1, 0, 0, 0]), floats([7], [])])
    #expect(try padded.array(of: Float.self) == [7, 7, 7])
    #expect(refusal("Pad", [empty, try int64([1, 0, 0, 0])], ["mode": .string("edge")]) == .invalidModel)
  }

  @Test func scalars() throws {
    let scalar = try floats([3], [])
    #expect(try OperatorRun.tensor("Flatten", [scalar], ["axis": .int(0)]).shape == [1, 1])
    #expect(try OperatorRun.tensor("Expand", [scalar, int64([2])]).array(of: Float.self) == [3, 3])
    #expect(try OperatorRun.tensor("Tile", [scalar, int64([])]).shape == [])
    #expect(try OperatorRun.tensor("NonZero", [scalar]).shape == [0, 1])
    #expect(try OperatorRun.tensor("OneHot", [int64([-1], []), int64([3]), int64([0, 1])]).integers == [0, 0, 1])
  }

  @Test func padsThatReachFarOrCut() throws {
    let row = try counting([4])
    func pad(_ begin: Int, _ end: Int, _ mode: String) throws -> [Int]? {
      try OperatorRun.tensor("Pad", [row, int64([begin, end])], ["mode": .string(mode)]).integers
    }
    #expect(try pad(5, 4, "reflect") == [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1])
    #expect(try pad(5, 1, "wrap") == [3, 0, 1, 2, 3, 0, 1, 2, 3, 0])
    #expect(try pad(-1, 2, "reflect") == [1, 2, 3, 2, 1])
    #expect(try pad(2, -3, "edge") == [0, 0, 0])
    #expect(try pad(-2, -2, "constant") == [])
    #expect(refusal("Pad", [row, try int64([-3, -2])]) == .invalidModel)
    let texts = try OperatorRun.tensor("Pad", [Tensor(["a"], shape: [1]), int64([1, 0])])
    #expect(try texts.strings() == ["", "a"])
  }

  @Test func stringsMoveLikeNumbers() throws {
    let texts = try Tensor(["", "b", "ccc", "d"], shape: [2, 2])
    #expect(try OperatorRun.tensor("Transpose", [texts]).strings() == ["", "ccc", "b", "d"])
    #expect(try OperatorRun.tensor("Gather", [texts, int64([1])]).strings() == ["ccc", "d"])
    #expect(try OperatorRun.tensor("NonZero", [texts]).integers == [0, 1, 1, 1, 0, 1])
    let result = try OperatorRun.tensors("Unique", [Tensor(["b", "a", "b"], shape: [3])], outputs: 4)
    #expect(try result[0].strings() == ["a", "b"])
    #expect(result[2].integers == [1, 0, 1])
  }
}

@Suite struct SortingAndScattering {
  @Test func topKOrdersNaNAndZeros() throws {
    let row = try floats([1, .nan, -.infinity, 0, -0.0, .infinity], [6])
    let greatest = try OperatorRun.tensors("TopK", [row, int64([6])], outputs: 2)
    #expect(greatest[1].integers == [1, 5, 0, 3, 4, 2])
    let least = try OperatorRun.tensors("TopK", [row, int64([2])], ["largest": .int(0)], outputs: 2)
    #expect(least[1].integers == [2, 3])
  }

  @Test(arguments: [1, 7, 100, 900, 1000], [0, 1])
  func topKOfMany(_ count: Int, _ largest: Int) throws {
    var state: UInt32 = 7
    let values = (0..<1000).map { _ -> Float in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(state >> 24) - 100
    }
    let order = values.indices.sorted {
      values[$0] == values[$1] ? $0 < $1 : (values[$0] > values[$1]) == (largest == 1)
    }
    let result = try OperatorRun.tensors(
      "TopK", [floats(values, [1000]), int64([count])], ["largest": .int(largest)], outputs: 2)
    #expect(result[1].integers == Array(order.prefix(count)))
    #expect(try result[0].array(of: Float.self) == order.prefix(count).map { values[$0] })
  }

  @Test(arguments: [0, 1]) func uniqueOfMany(_ sorted: Int) throws {
    var numbers = RandomNumbers(seed: 8)
    let values = (0..<700).map { _ in Int(numbers.next() * 300) &* 0x1_0000_0001 }
    let result = try OperatorRun.tensors("Unique", [int64(values)], ["sorted": .int(sorted)], outputs: 4)
    var distinct: [Int] = []
    for value in values where !distinct.contains(value) { distinct.append(value) }
    if sorted == 1 { distinct.sort() }
    #expect(result[0].integers == distinct)
    #expect(result[1].integers == distinct.map { values.firstIndex(of: $0) ?? -1 })
    #expect(result[2].integers == values.map { distinct.firstIndex(of: $0) ?? -1 })
    #expect(result[3].integers == distinct.map { value in values.count { $0 == value } })
  }

  /// Along the first axis operators work on columns side by side; they must do as they do along a row.
  @Test(arguments: [
    ("ArgMax", 0), ("ArgMin", 0), ("Hardmax", 0), ("Softmax", 0), ("LogSoftmax", 0), ("LpNormalization", 0),
    ("CumSum", 1), ("TopK", 2),
  ])
  func columnsAreAsRows(_ op: String, _ kind: Int) throws {
    var numbers = RandomNumbers(seed: 9)
    let (rows, columns) = (70, 67)
    let values = (0..<rows * columns).map { _ in Float((numbers.next() * 50).rounded()) }
    let turned = try Tensor(values, shape: [columns, rows])
    let data = try OperatorRun.tensor("Transpose", [turned])
    for type in [DataType.float32, .float64] {
      func run(_ x: Tensor, _ axis: Int) throws -> [Tensor] {
        let wide = try OperatorRun.tensor("Cast", [x], ["to": .int(Int(type.rawValue))])
        let more = kind == 0 ? [] : [try kind == 1 ? Tensor(scalar: Int64(axis)) : int64([9])]
        return try OperatorRun.tensors(
          op, [wide] + more, kind == 1 ? [:] : ["axis": .int(axis)], outputs: kind == 2 ? 2 : 1)
      }
      for (across, along) in zip(try run(data, 0), try run(turned, 1)) {
        let back = try OperatorRun.tensor("Transpose", [across])
        if across.type == .int64 {
          #expect(back.integers == along.integers)
        } else {
          #expect(try back.isNear(along, 1e-5))
        }
      }
    }
  }

  @Test func uniqueTakesNaNsAndZerosAsEqual() throws {
    let row = try floats([.nan, -0.0, 0, .nan, -1], [5])
    let result = try OperatorRun.tensors("Unique", [row], outputs: 4)
    #expect(result[1].integers == [4, 1, 0])
    #expect(result[2].integers == [2, 1, 1, 2, 0])
    #expect(result[3].integers == [1, 2, 2])
  }

  @Test(arguments: [
    ("none", [5, 6, 3]), ("add", [6, 13, 3]), ("mul", [5, 48, 3]), ("max", [5, 6, 3]), ("min", [1, 2, 3]),
  ])
  func reductionsOfDuplicates(_ reduction: String, _ expected: [Int]) throws {
    let data = try int64([1, 2, 3])
    let indices = try int64([0, 1, -2])
    let updates = try int64([5, 4, 6])
    let attributes = ["reduction": Attribute.string(reduction)]
    let found = try OperatorRun.tensor("ScatterElements", [data, indices, updates], attributes)
    #expect(found.integers == (reduction == "add" ? [6, 12, 3] : expected))
    let tuples = try indices.reshaped([3, 1])
    #expect(try OperatorRun.tensor("ScatterND", [data, tuples, updates], attributes).integers == found.integers)
  }

  @Test func reductionsOfHalvesAndTruths() throws {
    let halves = try Tensor([Float16(1), 2], shape: [2])
    let sum = try OperatorRun.tensor(
      "ScatterElements", [halves, int64([1, 1]), halves], ["reduction": .string("add")])
    #expect(try sum.array(of: Float16.self) == [1, 5])
    let truths = try Tensor([true, false], shape: [2])
    let any = try OperatorRun.tensor(
      "ScatterElements", [truths, int64([1, 1]), truths], ["reduction": .string("add")])
    #expect(try any.array(of: Bool.self) == [true, true])
    let texts = try Tensor(["a"], shape: [1])
    #expect(
      refusal("ScatterElements", [texts, try int64([0]), texts], ["reduction": .string("add")]) == .unsupportedModel)
  }
}

@Suite struct SymbolicShapes {
  /// Shape → Gather → Concat → Reshape keeps the batch's symbol.
  @Test func symbolsFlowThroughShapeArithmetic() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N"), .symbol("T"), 12])
    let shape = builder.node("Shape", [x])
    let batch = builder.node("Gather", [shape, builder.constant(try int64([0]))])
    let time = builder.node(
      "Slice", [shape, builder.constant(try int64([1])), builder.constant(try int64([2]))])
    let target = builder.node(
      "Concat", [batch, time, builder.constant(try int64([3])), builder.constant(try int64([-1]))], ["axis": .int(0)])
    builder.output(builder.node("Reshape", [x, target]))
    let model = try builder.model()
    #expect(model.outputs.first?.shape == [.symbol("N"), .symbol("T"), 3, 4])
    let result = try Session(model, options: SessionOptions(threads: 1)).run([.tensor(try counting32([2, 5, 12]))])
    #expect(result.first?.tensor?.shape == [2, 5, 3, 4])
  }

  private func counting32(_ shape: [Int]) throws -> Tensor {
    try Tensor((0..<shape.product).map(Float.init), shape: shape)
  }
}
