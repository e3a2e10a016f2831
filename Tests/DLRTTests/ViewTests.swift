import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

/// Attention reads and writes where rearranging nodes would have moved its operands from and to.
@Suite struct ViewTests {
  private struct Run {
    let result: Tensor
    let kernels: [String]
  }

  private func run(_ builder: GraphBuilder, _ inputs: [Tensor], threads: Int = 1) throws -> Run {
    let session = try Session(builder.model(optimizes: false), options: SessionOptions(threads: threads))
    let plan = try session.plan(shapes: inputs.map(\.shape))
    let result = try session.run(inputs.map { .tensor($0) }).compactMap(\.tensor)
    return Run(result: result[0], kernels: plan.steps.map(\.kernel))
  }

  /// Q, K and V in one projection [positions, batch, 3 · heads · size], cut by Gather, Split or Slice.
  @Test(arguments: ["Gather", "Split", "Slice"], [1, 2]) func jointProjection(_ cut: String, _ batch: Int) throws {
    let (positions, heads, size) = (5, 2, 4)
    var numbers = RandomNumbers(seed: 21)
    let x = try numbers.tensor([positions, batch, 3 * heads * size])
    var parts: [Tensor] = []
    var b = GraphBuilder()
    let input = b.input("x", .float32, Shape(x.shape))
    let whole = b.node(
      "Reshape", [input, b.constant(try Tensor(int64: [positions, batch, 3, heads, size]))])
    let front = b.node("Transpose", [whole], ["perm": .ints([2, 1, 3, 0, 4])])
    let cuts = cut == "Split" ? b.nodes("Split", [front], ["axis": .int(0)], outputs: 3) : []
    var operands: [ValueID?] = []
    for index in 0..<3 {
      switch cut {
      case "Gather":
        operands.append(b.node("Gather", [front, b.constant(try Tensor(int64: [index - 3], shape: []))]))
      case "Split":
        operands.append(b.node("Squeeze", [cuts[index], b.constant(try Tensor(int64: [0]))]))
      default:
        let bounds = try [index, index + 1, 0].map { b.constant(try Tensor(int64: [$0])) }
        operands.append(b.node("Squeeze", [b.node("Slice", [front] + bounds), b.constant(try Tensor(int64: [0]))]))
      }
      let plain = try OperatorRun.tensor(
        "Transpose", [x.reshaped([positions, batch, 3, heads, size])], ["perm": .ints([2, 1, 3, 0, 4])])
      parts.append(
        try OperatorRun.tensor("Gather", [plain, Tensor(int64: [index], shape: [])]))
    }
    let y = b.node("Attention", operands, ["is_causal": .int(1)])
    b.output(b.node("Transpose", [y], ["perm": .ints([2, 0, 1, 3])]))
    let expected = try OperatorRun.tensor(
      "Transpose", [OperatorRun.tensor("Attention", parts, ["is_causal": .int(1)])], ["perm": .ints([2, 0, 1, 3])])
    let got = try run(b, [x])
    #expect(try got.result.isNear(expected))
    #expect(got.kernels.count == 1, "\(got.kernels)")
  }

  /// A value that others read too stays, and one whose elements are not adjacent is moved.
  @Test func whatOthersNeedIsMade() throws {
    var numbers = RandomNumbers(seed: 22)
    let x = try numbers.tensor([2, 3, 5, 4])
    var b = GraphBuilder()
    let input = b.input("x", .float32, Shape(x.shape))
    let swapped = b.node("Transpose", [input], ["perm": .ints([0, 2, 1, 3])])
    let scattered = b.node("Transpose", [input], ["perm": .ints([0, 3, 1, 2])])
    let back = b.node("Transpose", [scattered], ["perm": .ints([0, 3, 2, 1])])
    let y = b.node("Attention", [swapped, swapped, back])
    let result = b.node("Transpose", [y], ["perm": .ints([0, 2, 1, 3])])
    b.output(b.node("Add", [result, b.node("Transpose", [swapped], ["perm": .ints([0, 2, 1, 3])])]))
    let moved = try OperatorRun.tensor("Transpose", [x], ["perm": .ints([0, 2, 1, 3])])
    let attended = try OperatorRun.tensor("Attention", [moved, moved, moved])
    let expected = try OperatorRun.tensor(
      "Add", [OperatorRun.tensor("Transpose", [attended], ["perm": .ints([0, 2, 1, 3])]), x])
    for threads in [1, 2] { #expect(try run(b, [x], threads: threads).result.isNear(expected)) }
  }

  /// What a reader looks at where it was made is made there, and not where another view of it is wanted.
  @Test func attentionOfTransposedAttention() throws {
    var numbers = RandomNumbers(seed: 24)
    let inputs = try [[2, 3, 4, 8], [2, 3, 5, 8], [2, 3, 5, 8], [2, 4, 5, 8], [2, 4, 5, 8]].map {
      try numbers.tensor($0)
    }
    let first = try OperatorRun.tensor("Attention", Array(inputs[..<3]))
    let moved = try OperatorRun.tensor("Transpose", [first], ["perm": .ints([0, 2, 1, 3])])
    let expected = try OperatorRun.tensor("Attention", [moved] + inputs[3...])
    var b = GraphBuilder()
    let values = inputs.enumerated().map { b.input("i\($0)", .float32, Shape($1.shape)) }
    let y = b.node("Transpose", [b.node("Attention", Array(values[..<3]))], ["perm": .ints([0, 2, 1, 3])])
    b.output(b.node("Attention", [y] + values[3...]))
    #expect(try run(b, inputs).result.isNear(expected))
  }

  /// Elements of a head stay adjacent where attention writes them.
  @Test(arguments: [[0, 1, 3, 2], [0, 3, 1, 2], [3, 2, 1, 0]]) func headsTurnedInside(_ order: [Int]) throws {
    var numbers = RandomNumbers(seed: 25)
    let inputs = try (0..<3).map { _ in try numbers.tensor([2, 3, 5, 4]) }
    let attended = try OperatorRun.tensor("Attention", inputs)
    let expected = try OperatorRun.tensor("Transpose", [attended], ["perm": .ints(order)])
    var b = GraphBuilder()
    let values = inputs.enumerated().map { b.input("i\($0)", .float32, Shape($1.shape)) }
    b.output(b.node("Transpose", [b.node("Attention", values)], ["perm": .ints(order)]))
    #expect(try run(b, inputs).result.isNear(expected))
  }

  /// What is worked on in float32 is narrowed where it was made.
  @Test(arguments: [DataType.float16, .bfloat16]) func turnedHeadsOfHalves(_ type: DataType) throws {
    var numbers = RandomNumbers(seed: 27)
    let to: [String: Attribute] = ["to": .int(Int(type.rawValue))]
    let inputs = try (0..<3).map { _ in try OperatorRun.tensor("Cast", [numbers.tensor([2, 3, 5, 4])], to) }
    let order: [String: Attribute] = ["perm": .ints([0, 2, 1, 3])]
    let expected = try OperatorRun.tensor("Transpose", [OperatorRun.tensor("Attention", inputs)], order)
    var b = GraphBuilder()
    let values = inputs.enumerated().map { b.input("i\($0)", type, Shape($1.shape)) }
    b.output(b.node("Transpose", [b.node("Attention", values)], order))
    let got = try run(b, inputs).result
    #expect(got.shape == expected.shape && got.elements(UInt16.self) == expected.elements(UInt16.self))
  }

  /// Keys that are one key again and again, and a single one out of many, for few queries and for many.
  @Test(arguments: [1, 4, 40]) func keysWithoutAStride(_ queries: Int) throws {
    var numbers = RandomNumbers(seed: 26)
    let q = try numbers.tensor([1, 2, queries, 8])
    let (one, values) = (try numbers.tensor([1, 2, 1, 8]), try numbers.tensor([1, 2, 5, 8]))
    let many = try OperatorRun.tensor("Expand", [one, Tensor(int64: [1, 2, 5, 8])])
    var b = GraphBuilder()
    let inputs = [q, one, values].enumerated().map { b.input("i\($0)", .float32, Shape($1.shape)) }
    let keys = b.node("Expand", [inputs[1], b.constant(try Tensor(int64: [1, 2, 5, 8]))])
    b.output(b.node("Attention", [inputs[0], keys, inputs[2]]))
    #expect(try run(b, [q, one, values]).result.isNear(OperatorRun.tensor("Attention", [q, many, values])))

    var single = GraphBuilder()
    let x = [q, values].enumerated().map { single.input("i\($0)", .float32, Shape($1.shape)) }
    let key = single.node("Gather", [x[1], single.constant(try Tensor(int64: [3]))], ["axis": .int(2)])
    single.output(single.node("Attention", [x[0], key, key]))
    let chosen = try OperatorRun.tensor("Gather", [values, Tensor(int64: [3])], ["axis": .int(2)])
    #expect(try run(single, [q, values]).result.isNear(OperatorRun.tensor("Attention", [q, chosen, chosen])))
  }

  /// A mask that serves all heads need not be repeated for each.
  @Test(arguments: [DataType.float32, .bool]) func expandedMask(_ type: DataType) throws {
    var numbers = RandomNumbers(seed: 23)
    let operands = try (0..<3).map { _ in try numbers.tensor([2, 3, 5, 4]) }
    let mask =
      type == .bool
      ? try Tensor([true, false, true, true, false, false, true, true, true, true], shape: [2, 1, 1, 5])
      : try numbers.tensor([2, 1, 1, 5])
    var b = GraphBuilder()
    let inputs = operands.enumerated().map { b.input("i\($0)", .float32, Shape($1.shape)) }
    let small = b.input("mask", type, Shape(mask.shape))
    b.output(b.node("Attention", inputs + [b.node("Expand", [small, b.constant(try Tensor(int64: [2, 3, 5, 5]))])]))
    let expected = try OperatorRun.tensor("Attention", operands + [mask])
    let got = try run(b, operands + [mask])
    #expect(try got.result.isNear(expected, 0))
    #expect(got.kernels.count == 1, "\(got.kernels)")
  }
}
