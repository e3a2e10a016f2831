import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

/// Passes meet whatever a file declares: sizes that no machine holds, operands that do not fit, weights without elements.
/// Loading ends, with a model or with an error.
@Suite struct HostileGraphTests {
  private func loads(_ b: GraphBuilder) { _ = try? b.model() }

  private func empty(_ shape: [Int]) throws -> Tensor { try Tensor(zeros: shape, type: .float32) }
  private func numbers(_ shape: [Int]) throws -> Tensor {
    try Tensor((0..<shape.reduce(1, *)).map { Float($0 % 7) + 1 }, shape: shape)
  }

  @Test(arguments: [1 << 33, 1 << 40, 1 << 61]) func aNumberTimesManyChannels(_ channels: Int) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [1, .known(channels), 1])
    b.output(b.node("Mul", [x, b.constant(try Tensor([Float(2)], shape: []))]))
    loads(b)
  }

  @Test func groupsOfManyChannels() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [1, .known(1 << 60), .symbol("H"), .symbol("W")])
    let parts = b.node("Reshape", [x, b.constant(try Tensor(int64: [0, 2, -1]))])
    let (ones, zeros) = (try Tensor([Float(1), 1], shape: [2]), try Tensor([Float(0), 0], shape: [2]))
    let normal = b.node("InstanceNormalization", [parts, b.constant(ones), b.constant(zeros)])
    b.output(b.node("Reshape", [normal, b.node("Shape", [x])]))
    loads(b)
  }

  @Test func shuffledChannelsBeyondCounting() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), 16, .symbol("H"), .symbol("W")])
    let y = b.node("Conv", [x, b.constant(try numbers([16, 16, 1, 1]))])
    let batch = b.node("Shape", [x], ["end": .int(1)])
    let sizes = b.node("Shape", [x], ["start": .int(2)])
    let target = b.node(
      "Concat", [batch, b.constant(try Tensor(int64: [1 << 40, 1 << 40])), sizes], ["axis": .int(0)])
    let turned = b.node("Transpose", [b.node("Reshape", [y, target])], ["perm": .ints([0, 2, 1, 3, 4])])
    b.output(b.node("Reshape", [turned, b.node("Shape", [x])]))
    loads(b)
  }

  @Test(arguments: [true, false]) func normalisationWithVectorsOfSeveralLengths(_ afterConvolution: Bool) throws {
    var b = GraphBuilder()
    var x = b.input("x", .float32, nil)
    if afterConvolution { x = b.node("Conv", [x, b.constant(try numbers([4, 4, 3, 3]))]) }
    let vectors = try [4, 2, 4, 4].map { b.constant(try numbers([$0])) }
    b.output(b.node("BatchNormalization", [x] + vectors))
    #expect(throws: DLRTError.self) {
      try Session(b.model()).run([.tensor(try numbers([1, 4, 5, 5]))])
    }
  }

  @Test func weightsWithoutElements() throws {
    let huge = 1 << 24
    var trimmed = GraphBuilder()
    trimmed.output(
      trimmed.node(
        "Conv",
        [trimmed.input("x", .float32, [1, 1, 1, 1, 1]), trimmed.constant(try empty([0, 1, huge, huge, huge]))],
        ["pads": .ints([Int](repeating: huge / 2, count: 6))]))
    loads(trimmed)

    var scaled = GraphBuilder()
    let up = scaled.node(
      "ConvTranspose",
      [scaled.input("x", .float32, [1, 0, 1, 1, 1]), scaled.constant(try empty([0, 4, huge, huge, huge]))])
    scaled.output(scaled.node("Mul", [up, scaled.constant(try numbers([4, 1, 1, 1]))]))
    loads(scaled)

    var excited = GraphBuilder()
    let x = excited.input("x", .float32, [1, 0, 4, 4])
    let wide = excited.constant(try empty([1 << 62, 0, 1, 1]))
    let factors = excited.node("GlobalAveragePool", [excited.node("Conv", [x, wide])])
    let product = excited.node("Mul", [excited.node("Conv", [x, wide]), factors])
    excited.output(excited.node("Conv", [product, excited.constant(try empty([0, 1 << 62, 1, 1]))]))
    loads(excited)
  }

  /// An image without pixels has some once it is padded, which the convolution's own padding would not give it.
  @Test func paddedImagesWithoutPixels() throws {
    var b = GraphBuilder()
    let around = b.constant(try Tensor(int64: [0, 0, 2, 2, 0, 0, 2, 2]))
    let padded = b.node("Pad", [b.input("x", .float32, [1, 4, 0, 3]), around])
    b.output(b.node("Conv", [padded, b.constant(try numbers([4, 4, 3, 3]))]))
    let y = try b.run([.tensor(empty([1, 4, 0, 3]))])[0]
    #expect(y.tensor?.shape == [1, 4, 2, 5])
  }

  /// One value after the other, each of which nobody needs once the next one is there.
  @Test func constantsOnTheWayAreLetGo() throws {
    var b = GraphBuilder()
    var value = b.node("ConstantOfShape", [b.constant(try Tensor(int64: [1 << 18]))])
    for _ in 0..<100 { value = b.node("Neg", [value]) }
    b.output(b.node("ReduceMax", [value]))
    let model = try b.model()
    #expect(model.operatorCounts == [:])
    #expect(try Session(model).run([])[0].tensor?.array(of: Float.self) == [0])
  }

  /// Also where the model's own constants are empty, and where only a part of what is made is.
  @Test func emptyConstantsTakeNoTime() throws {
    let many = 1 << 40
    var recurrent = GraphBuilder()
    let operands = try [empty([many, 0, 3]), numbers([1, 12, 3]), numbers([1, 12, 4])].map { recurrent.constant($0) }
    recurrent.output(recurrent.node("GRU", operands, ["hidden_size": .int(4)]))
    loads(recurrent)
    let limit = RunOptions(timeoutNanoseconds: 10_000_000_000)
    for (op, shape, attributes, vectors) in [
      ("BatchNormalization", [many, 3, 0], ["training_mode": .int(1)], 4), ("SplitToSequence", [many, 0], [:], 0),
      ("Unique", [many, 0], ["axis": .int(0)], 0),
    ] as [(String, [Int], [String: Attribute], Int)] {
      var b = GraphBuilder()
      let x = b.input("x", .float32, Shape(shape))
      let others = try (0..<vectors).map { _ in b.constant(try numbers([3])) }
      b.output(b.node(op, [x] + others, attributes))
      _ = try? Session(b.model()).run([.tensor(empty(shape))], options: limit)
    }
  }

  /// Each node may double what the one before it has made, but only so often.
  @Test(arguments: [true, false]) func constantsThatGrow(_ isOneValue: Bool) throws {
    var b = GraphBuilder()
    var value = b.constant(try numbers([1 << 10]))
    for _ in 0..<24 {
      let other = isOneValue ? value : b.node("Neg", [value])
      value = b.node("Concat", [isOneValue ? value : b.node("Abs", [value]), other], ["axis": .int(0)])
    }
    b.output(b.node("ReduceMax", [value]))
    let model = try b.model()
    #expect(model.parameterCount < 40 << 20)
  }

  /// Nothing is made, so nothing is passed over either, however many rows of nothing there are.
  @Test func nothingTakesNoTime() throws {
    let many = 1 << 31
    let limit = RunOptions(timeoutNanoseconds: 10_000_000_000)
    for (op, shape, attributes) in [
      ("MaxPool", [many, many, 0], ["kernel_shape": .ints([1])]),
      ("MeanVarianceNormalization", [many, many, 0], ["axes": .ints([0, 2])]),
    ] as [(String, [Int], [String: Attribute])] {
      var b = GraphBuilder()
      b.output(b.node(op, [b.input("x", .float32, Shape(shape))], attributes))
      let y = try Session(b.model()).run([.tensor(empty(shape))], options: limit)[0]
      #expect(y.tensor?.shape == shape)
    }
    let x = try empty([1 << 20, 0, 4, 4])
    for op in ["Conv", "ConvTranspose"] {
      _ = try? OperatorRun.tensor(op, [x, empty([0, 0, 3, 3])], ["group": .int(1 << 50)], constants: [1])
    }
    let theta = try numbers([0, 2, 3])
    let grid = try OperatorRun.tensor("AffineGrid", [theta, Tensor(int64: [0, 1, 1 << 40, 1])])
    #expect(grid.shape == [0, 1 << 40, 1, 2])
  }
}
