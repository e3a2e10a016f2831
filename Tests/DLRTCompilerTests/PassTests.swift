import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

/// Each pass must find its pattern and leave the numbers as they were.
@Suite struct PassTests: PassChecks {
  private func scalar(_ value: Float, _ builder: inout GraphBuilder) throws -> ValueID {
    builder.constant(try Tensor(scalar: value))
  }

  @Test(arguments: [0, 1, 2]) func geluWithErf(_ form: Int) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), 8])
    let root = try scalar(Float(2).squareRoot(), &b)
    let argument =
      form == 2 ? b.node("Mul", [x, try scalar(Float(0.5).squareRoot(), &b)]) : b.node("Div", [x, root])
    let sum = b.node("Add", [b.node("Erf", [argument]), try scalar(1, &b)])
    let half = try scalar(0.5, &b)
    switch form {
    case 0: b.output(b.node("Mul", [b.node("Mul", [x, sum]), half]))
    case 1: b.output(b.node("Mul", [b.node("Mul", [x, half]), sum]))
    default: b.output(b.node("Div", [b.node("Mul", [sum, x]), try scalar(2, &b)]))
    }
    try check(b, [input([3, 8])], leaves: ["Gelu": 1])
  }

  @Test func geluWithTanh() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [2, 8])
    let cube = b.node("Mul", [try scalar(0.044715, &b), b.node("Pow", [x, try scalar(3, &b)])])
    let argument = b.node("Mul", [try scalar(0.7978845608, &b), b.node("Add", [x, cube])])
    let sum = b.node("Add", [try scalar(1, &b), b.node("Tanh", [argument])])
    b.output(b.node("Mul", [b.node("Mul", [try scalar(0.5, &b), x]), sum]))
    try check(b, [input([2, 8])], leaves: ["Gelu": 1])
  }

  /// Composites of other domains give numbers the type of an operand in this way.
  @Test func numbersOfAnOperandsTypeAreConstants() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), 4])
    let w = b.constant(try input([4, 3], seed: 2))
    b.output(b.node("Mul", [b.node("MatMul", [x, w]), b.node("CastLike", [try scalar(0.25, &b), x])]))
    try check(b, [input([3, 4])], leaves: ["ai.dlrt::FusedMatMul": 1])
  }

  @Test func productsThatAreNoActivationStay() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [4])
    let sum = b.node("Add", [b.node("Erf", [x]), try scalar(1, &b)])
    b.output(b.node("Mul", [b.node("Mul", [x, sum]), try scalar(0.25, &b)]))
    try check(b, [input([4])], leaves: ["ai.dlrt::FusedElementwise": 1])
  }

  /// As exporters write a softmax in float32 of scores that are float32.
  @Test func castsToTheSameType() throws {
    var b = GraphBuilder()
    let (q, k, v) = (
      b.input("q", .float32, [1, 2, 3, 4]), b.input("k", .float32, [1, 2, 4, 3]), b.input("v", .float32, [1, 2, 3, 4])
    )
    let float: [String: Attribute] = ["to": .int(Int(DataType.float32.rawValue))]
    let scores = b.node("Cast", [b.node("MatMul", [q, k])], float)
    let weights = b.node("Cast", [b.node("Softmax", [scores], ["axis": .int(-1)])], float)
    b.output(b.node("MatMul", [weights, v]))
    #expect(try b.model().operatorCounts["Cast"] == nil)
    let narrow: [String: Attribute] = ["to": .int(Int(DataType.float16.rawValue))]
    b.output(b.node("Cast", [b.node("Cast", [v], narrow)], float))
    #expect(try b.model().operatorCounts["Cast"] == 2)
  }

  /// A number that is only near the pattern's was learned.
  @Test(arguments: [Float(1.0015), 0.9985]) func learnedFactorsStay(_ factor: Float) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [16])
    b.output(b.node("Mul", [b.node("Mul", [x, b.node("Sigmoid", [x])]), try scalar(factor, &b)]))
    let cube = b.node("Pow", [x, try scalar(3 * factor, &b)])
    b.output(cube)
    let (model, plain) = try (b.model(), b.model(optimizes: false))
    #expect(model.operatorCounts["Swish"] == nil)
    let inputs: [Value?] = [.tensor(try input([16]))]
    for (got, expected) in zip(try Session(model).run(inputs), try Session(plain).run(inputs)) {
      #expect(try Comparison.difference(got, expected, Tolerance(relative: 1e-5, absolute: 1e-6)) == nil)
    }
  }

  /// A number of rank 3 makes a result of rank 3.
  @Test func numbersOfAHigherRank() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [3, 5])
    func number(_ value: Float) throws -> ValueID { b.constant(try Tensor([value], shape: [1, 1, 1])) }
    let scaled = b.node("Sigmoid", [b.node("Mul", [x, try number(1.7)])])
    b.output(b.node("Mul", [x, scaled]))
    let square = b.node("ReduceMean", [b.node("Mul", [x, x]), b.constant(try Tensor(int64: [-1]))])
    let root = b.node("Sqrt", [b.node("Add", [square, try number(1e-5)])])
    b.output(b.node("Mul", [b.node("Div", [x, root]), b.constant(try input([5], seed: 2))]))
    let outputs = try b.run([.tensor(try input([3, 5]))])
    #expect(outputs.map { $0.tensor?.shape } == [[1, 3, 5], [1, 3, 5]])
  }

  @Test func swishAndHardSwishAndMish() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [16])
    b.output(b.node("Mul", [x, b.node("Sigmoid", [x])]))
    let clip = b.node("Clip", [b.node("Add", [x, try scalar(3, &b)]), try scalar(0, &b), try scalar(6, &b)])
    b.output(b.node("Div", [b.node("Mul", [x, clip]), try scalar(6, &b)]))
    b.output(b.node("Mul", [x, b.node("Tanh", [b.node("Softplus", [x])])]))
    try check(b, [input([16])], leaves: ["Swish": 1, "HardSwish": 1, "Mish": 1])
  }

  @Test func oneSlopeForAllIsLeaky() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [2, 3])
    let one = b.constant(try Tensor([0.25] as [Float], shape: [1, 1]))
    let several = b.constant(try Tensor([0.25, 0.5, 2] as [Float], shape: [3]))
    b.output(b.node("PRelu", [x, several]), b.node("PRelu", [x, one]))
    try check(b, [input([2, 3])], leaves: ["PRelu": 1, "LeakyRelu": 1])
  }

  @Test(arguments: [true, false]) func layerNormalization(_ withBias: Bool) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), 4, 8])
    let axes = b.constant(try Tensor([-1] as [Int64], shape: [1]))
    let centered = b.node("Sub", [x, b.node("ReduceMean", [x, axes])])
    let variance = b.node("ReduceMean", [b.node("Pow", [centered, try scalar(2, &b)]), axes])
    let deviation = b.node("Sqrt", [b.node("Add", [variance, try scalar(1e-5, &b)])])
    let scaled = b.node("Mul", [b.node("Div", [centered, deviation]), b.constant(try input([8], seed: 2))])
    b.output(withBias ? b.node("Add", [scaled, b.constant(try input([8], seed: 3))]) : scaled)
    try check(b, [input([2, 4, 8])], leaves: ["LayerNormalization": 1])
  }

  @Test func rmsNormalization() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [3, 8])
    let axes = b.constant(try Tensor([1] as [Int64], shape: [1]))
    let mean = b.node("ReduceMean", [b.node("Mul", [x, x]), axes])
    let root = b.node("Sqrt", [b.node("Add", [mean, try scalar(1e-6, &b)])])
    let normal = b.node("Mul", [x, b.node("Reciprocal", [root])])
    b.output(b.node("Mul", [b.constant(try input([8], seed: 2)), normal]))
    try check(b, [input([3, 8])], leaves: ["RMSNormalization": 1])
  }

  @Test(arguments: [0, 1, 2, 3]) func matrixProductsTakeWhatFollows(_ form: Int) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), 5, 16])
    let weight = b.constant(try input([16, 24], seed: 2))
    let bias = b.constant(try input([24], seed: 3))
    var y = b.node("MatMul", [x, weight])
    if form == 3 { y = b.node("Div", [y, try scalar(8, &b)]) }
    y = b.node("Add", [bias, y])
    switch form {
    case 0: b.output(b.node("Relu", [y]))
    case 1: b.output(b.node("Relu", [b.node("Add", [b.input("r", .float32, [.symbol("N"), 5, 24]), y])]))
    default: b.output(b.node("Add", [b.node("Tanh", [y]), b.input("r", .float32, [.symbol("N"), 5, 24])]))
    }
    let inputs = [try input([2, 5, 16])] + (form == 0 ? [] : [try input([2, 5, 24], seed: 7)])
    try check(b, inputs, leaves: ["ai.dlrt::FusedMatMul": 1])
  }

  /// The last axis of such a product is the matrix's rows, of which a bias would be one for all.
  @Test func whatIsAddedToAMatrixTimesAVectorIsNoBias() throws {
    var b = GraphBuilder()
    let product = b.node("MatMul", [b.input("x", .float32, [5, 7]), b.constant(try input([7], seed: 2))])
    b.output(b.node("Add", [product, b.constant(try input([5], seed: 3))]))
    try check(b, [input([5, 7])], leaves: ["ai.dlrt::FusedMatMul": 1])
  }

  /// Heads split from one axis: [N, T, 32] as 4 heads of 8.
  @Test(arguments: [true, false], [true, false]) func attention(_ mergesHeads: Bool, _ masked: Bool) throws {
    var b = GraphBuilder()
    let n = Dim.symbol("N")
    let x = b.input("x", .float32, [n, 6, 32])
    let split = b.constant(try Tensor([0, 0, 4, 8] as [Int64], shape: [4]))
    func heads(_ seed: Int, _ permutation: [Int]) throws -> ValueID {
      let projected = b.node("MatMul", [x, b.constant(try input([32, 32], seed: seed))])
      return b.node("Transpose", [b.node("Reshape", [projected, split])], ["perm": .ints(permutation)])
    }
    let scores = b.node("MatMul", [try heads(2, [0, 2, 1, 3]), try heads(3, [0, 2, 3, 1])])
    var weights = b.node("Div", [scores, try scalar(60, &b)])
    if masked { weights = b.node("Add", [weights, b.input("mask", .float32, [n, 1, 1, 6])]) }
    var y = b.node("MatMul", [b.node("Softmax", [weights], ["axis": .int(-1)]), try heads(4, [0, 2, 1, 3])])
    if mergesHeads {
      y = b.node("Transpose", [y], ["perm": .ints([0, 2, 1, 3])])
      y = b.node("Reshape", [y, b.constant(try Tensor([0, 0, 32] as [Int64], shape: [3]))])
    }
    b.output(y)
    let inputs = [try input([2, 6, 32])] + (masked ? [try input([2, 1, 1, 6], seed: 9)] : [])
    let rest = mergesHeads ? [:] : ["Reshape": 3, "Transpose": 3]
    try check(b, inputs, leaves: rest.merging(["Attention": 1, "MatMul": 3]) { $1 })
  }

  /// Turning heads and positions as one axis is not what turning the keys of each head is.
  @Test func keysOfHeadsThatAreJoinedWithPositions() throws {
    var b = GraphBuilder()
    let (batch, heads, positions, size) = (2, 3, 5, 4)
    let (q, k) = (b.input("q", .float32, [2, 3, 5, 4]), b.input("k", .float32, [2, 3, 5, 4]))
    let joined = b.node("Reshape", [k, b.constant(try Tensor(int64: [batch, heads * positions, size]))])
    let turned = b.node("Transpose", [joined], ["perm": .ints([0, 2, 1])])
    let keys = b.node("Reshape", [turned, b.constant(try Tensor(int64: [batch, heads, size, positions]))])
    let weights = b.node("Softmax", [b.node("MatMul", [q, keys])], ["axis": .int(-1)])
    b.output(b.node("MatMul", [weights, b.input("v", .float32, [2, 3, 5, 4])]))
    let inputs = try (1...3).map { Value?.some(.tensor(try input([2, 3, 5, 4], seed: $0))) }
    let expected = try Session(b.model(optimizes: false)).run(inputs)[0]
    #expect(try Comparison.difference(b.run(inputs)[0], expected, Tolerance(relative: 1e-4, absolute: 1e-4)) == nil)
  }

  /// As PyTorch writes it: both operands scaled, Kᵀ made with batch and heads as one axis, heads of K and V repeated, and
  /// no probabilities where all keys are hidden, or NaN.
  @Test(arguments: [1, 2], [true, false]) func attentionOfPyTorch(_ copies: Int, _ unseenIsZero: Bool) throws {
    var b = GraphBuilder()
    let q = b.input("q", .float32, [2, 4, 6, 8])
    let mask = b.input("mask", .float32, [6, 6])
    func ints(_ numbers: [Int64], _ b: inout GraphBuilder) throws -> ValueID {
      b.constant(try Tensor(numbers, shape: [numbers.count]))
    }
    func repeated(_ name: String) throws -> ValueID {
      let heads = 4 / copies
      let x = b.input(name, .float32, [2, .known(heads), 6, 8])
      if copies == 1 { return x }
      let wide = b.node(
        "Expand", [b.node("Unsqueeze", [x, try ints([2], &b)]), try ints([2, Int64(heads), Int64(copies), 6, 8], &b)])
      return b.node("Reshape", [wide, try ints([2, 4, 6, 8], &b)])
    }
    let flat = b.node("Reshape", [try repeated("k"), try ints([-1, 6, 8], &b)])
    let swapped = b.node("Transpose", [flat], ["perm": .ints([0, 2, 1])])
    let k = b.node("Reshape", [swapped, try ints([2, 4, 8, 6], &b)])
    let product = b.node(
      "MatMul", [b.node("Mul", [q, try scalar(0.5, &b)]), b.node("Mul", [k, try scalar(0.5, &b)])])
    let probabilities = b.node("Softmax", [b.node("Add", [product, mask])], ["axis": .int(-1)])
    var weights = probabilities
    if unseenIsZero {
      weights = b.node("Where", [b.node("IsNaN", [probabilities]), try scalar(0, &b), probabilities])
    }
    b.output(b.node("MatMul", [weights, try repeated("v")]))
    var hidden = try input([6, 6], seed: 5).array(of: Float.self)
    for key in 0..<6 { hidden[6 + key] = -.infinity }
    let shape = [2, 4 / copies, 6, 8]
    try check(
      b, [input([2, 4, 6, 8]), Tensor(hidden, shape: [6, 6]), input(shape, seed: 6), input(shape, seed: 7)],
      leaves: ["Attention": 1])
  }

  /// Windows of an image: a bias for each head, and a mask for each window, added with an axis for the images in front.
  @Test(arguments: [1, 2], [0, 3, 4]) func attentionInShiftedWindows(_ masks: Int, _ factorRank: Int) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [4, 3, 6, 8])
    var product = b.node("MatMul", [x, b.node("Transpose", [x], ["perm": .ints([0, 1, 3, 2])])])
    if factorRank > 0 {
      let shape = Array([1, 3, 1, 1].suffix(factorRank))
      product = b.node("Mul", [product, b.constant(try input(shape, seed: 8))])
    }
    let biased = b.node("Add", [product, b.constant(try input([1, 3, 6, 6], seed: 3))])
    let wide = b.node("Reshape", [biased, b.constant(try Tensor([1, 4, 3, 6, 6] as [Int64], shape: [5]))])
    var masked = wide
    for mask in 0..<masks {
      masked = b.node("Add", [masked, b.constant(try input([1, 4, 1, 6, 6], seed: 4 + mask))])
    }
    let scores = b.node("Reshape", [masked, b.constant(try Tensor([-1, 3, 6, 6] as [Int64], shape: [4]))])
    b.output(b.node("MatMul", [b.node("Softmax", [scores], ["axis": .int(-1)]), x]))
    try check(b, [input([4, 3, 6, 8])], leaves: factorRank > 0 ? ["Attention": 1, "Mul": 1] : ["Attention": 1])
  }

  /// A mask of one column serves all keys, which Attention by itself would take for one key.
  @Test(arguments: [1, 6]) func attentionWithMaskOfUnknownWidth(_ width: Int) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [2, 4, 6, 8])
    let scores = b.node("MatMul", [x, b.node("Transpose", [x], ["perm": .ints([0, 1, 3, 2])])])
    let masked = b.node("Add", [scores, b.input("mask", .float32, [1, 1, 1, .symbol("W")])])
    b.output(b.node("MatMul", [b.node("Softmax", [masked], ["axis": .int(-1)]), x]))
    try check(
      b, [input([2, 4, 6, 8]), input([1, 1, 1, width], seed: 5)], leaves: ["Attention": 1, "Expand": 1])
  }

  /// As older exporters write a range of numbers.
  @Test func placesInAConstantAreFixed() throws {
    var b = GraphBuilder()
    let flags = try Tensor([1, 0, 1, 1, 0, 1] as [Float], shape: [6])
    let places = b.node("Squeeze", [b.node("NonZero", [b.constant(flags)]), b.constant(try Tensor(int64: [0]))])
    b.output(b.node("Gather", [b.input("x", .float32, [3, 6]), places], ["axis": .int(1)]))
    try check(b, [input([3, 6])], leaves: ["Gather": 1])
  }

  /// Factors one after the other may stay in float32's range where their product does not.
  @Test func factorsThatVanishTogether() throws {
    var b = GraphBuilder()
    let product = b.node("MatMul", [b.input("x", .float32, [2, 2]), b.constant(try input([2, 2], seed: 2))])
    b.output(b.node("Mul", [b.node("Mul", [product, try scalar(1e-25, &b)]), try scalar(1e-25, &b)]))
    let x = try Tensor([Float](repeating: 1e35, count: 4), shape: [2, 2])
    let expected = try Session(b.model(optimizes: false)).run([.tensor(x)])[0].tensor
    let got = try b.run([.tensor(x)])[0].tensor
    #expect(
      try zip(got?.array(of: Float.self) ?? [], expected?.array(of: Float.self) ?? []).allSatisfy {
        ($0 - $1).magnitude <= 1e-5 * $1.magnitude
      })
  }

  @Test func gemmTakesItsActivation() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), 16])
    let gemm = b.node(
      "Gemm", [x, b.constant(try input([24, 16], seed: 2)), b.constant(try input([24], seed: 3))], ["transB": .int(1)])
    b.output(b.node("Clip", [gemm, try scalar(0, &b), try scalar(6, &b)]))
    try check(b, [input([3, 16])], leaves: ["ai.dlrt::FusedMatMul": 1])
  }

  /// Short rows are taken several at a time, whichever operand stays along them or between them.
  @Test(arguments: [[1], [3, 1], [7], [5, 1, 1], [5, 3, 1], [5, 1, 7], [1, 1, 1]])
  func chainsOverShortRows(_ shape: [Int]) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [5, 3, 7]), y = b.input("y", .float32, Shape(shape))
    b.output(b.node("Relu", [b.node("Sub", [b.node("Mul", [x, y]), b.node("Add", [y, b.node("Exp", [x])])])]))
    try check(b, [input([5, 3, 7]), input(shape)], leaves: ["ai.dlrt::FusedElementwise": 1])
  }

  @Test func elementwiseChainsBecomeOnePass() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), 3, 5])
    let y = b.input("y", .float32, [3, 1])
    let product = b.node("Mul", [b.node("Add", [x, y]), b.node("Exp", [x])])
    let clipped = b.node("Clip", [product, try scalar(-1, &b), nil])
    b.output(b.node("Sub", [clipped, b.node("Tanh", [product])]))
    try check(b, [input([2, 3, 5]), input([3, 1])], leaves: ["ai.dlrt::FusedElementwise": 1])
  }

  @Test func valuesThatOthersReadStay() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [8])
    let middle = b.node("Exp", [x])
    b.output(middle)
    b.output(b.node("Neg", [b.node("Sqrt", [middle])]))
    try check(b, [input([8])], leaves: ["Exp": 1, "ai.dlrt::FusedElementwise": 1])
  }

  @Test func duplicatesAndNoOpsGo() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [8])
    let same = b.node("Cast", [b.node("Identity", [x])], ["to": .int(1)])
    b.output(b.node("Concat", [b.node("Sin", [x]), b.node("Sin", [same])], ["axis": .int(0)]))
    try check(b, [input([8])], leaves: ["Sin": 1, "Concat": 1])
  }

  /// A scalar's type and first byte look like the shape and the type of seven others.
  @Test func constantsOfTheSameBytesStay() throws {
    var b = GraphBuilder()
    let size = b.input("size", .int64, [1])
    let scalar = try Tensor(int64: [3], shape: []), others = try Tensor(Array(repeating: Int8(0), count: 7), shape: [7])
    for tensor in [scalar, others] { b.output(b.node("Expand", [b.constant(tensor), size])) }
    try check(b, [Tensor(int64: [7])], leaves: ["Expand": 2])
  }

  /// However long they are: a pass sees that one node's twin is another's input.
  @Test func chainsOfDuplicatesGoAtOnce() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [3, 4])
    var (y, z) = (x, x)
    for _ in 0..<12 { (y, z) = (b.node("Softmax", [y]), b.node("Softmax", [z])) }
    b.output(b.node("Concat", [y, z], ["axis": .int(0)]))
    try check(b, [input([3, 4])], leaves: ["Softmax": 12, "Concat": 1])
  }

  /// A scale and a shift of each channel, after weights [M, C / group, …] and [C, M / group, …].
  @Test(arguments: ["Conv", "ConvTranspose"], [1, 2]) func channelAffinesGoIntoWeights(_ op: String, _ group: Int)
    throws
  {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [1, 4, 5, 5])
    let weights = try input(op == "Conv" ? [6, 4 / group, 3, 3] : [4, 6 / group, 3, 3], seed: 2)
    let y = b.node(op, [x, b.constant(weights), b.constant(try input([6], seed: 3))], ["group": .int(group)])
    let parameters = try [4, 5, 6].map { b.constant(try input([6], seed: $0)) }
    let variance = b.constant(try Tensor((1...6).map { Float($0) / 4 }, shape: [6]))
    b.output(b.node("BatchNormalization", [y] + parameters + [variance]))
    let counts = try b.model().operatorCounts
    #expect(["BatchNormalization", "Mul", "Add", "ai.dlrt::FusedElementwise"].allSatisfy { counts[$0] == nil })
    try check(b, [input([1, 4, 5, 5])], leaves: counts)
  }

  /// Before version 7 an operand could begin at any axis: [4, 1, 1] from the first one on is a factor of each image.
  @Test(arguments: [false, true]) func factorsOfImagesStay(besideOthers: Bool) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [4, 4, 5, 5])
    var y = b.node("Conv", [x, b.constant(try input([4, 4, 3, 3], seed: 2))])
    if besideOthers {
      let other = b.node("Conv", [x, b.constant(try input([3, 4, 3, 3], seed: 4))])
      y = b.node("Concat", [y, other], ["axis": .int(1)])
    }
    b.output(b.node("Mul", [y, b.constant(try input([4, 1, 1], seed: 3))], ["axis": .int(0)]))
    try check(b, [input([4, 4, 5, 5])], leaves: b.model().operatorCounts)
  }

  /// Taps that meet only padding: of all axes or of some, the last or one before it.
  @Test(arguments: [[1, 6], [6, 1], [1, 1], [1, 4, 5], [4, 1, 5], [4, 5, 1], [1, 4, 1]])
  func windowsLoseTapsThatMeetPaddingOnly(_ sizes: [Int]) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, Shape([1, 3] + sizes))
    let weights = b.constant(try input([4, 3] + sizes.map { _ in 3 }, seed: 2))
    b.output(b.node("Conv", [x, weights], ["pads": .ints(Array(repeating: 1, count: 2 * sizes.count))]))
    try check(b, [input([1, 3] + sizes)], leaves: b.model().operatorCounts)
  }

  /// Sizes that inference knows: what only leads to them goes, what others read or is an output becomes a constant.
  @Test func knownSizesFold() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [2, 6, 4])
    func at(_ index: Int, _ source: ValueID) throws -> ValueID {
      b.node("Gather", [source, b.constant(try Tensor(int64: [index]))])
    }
    let shape = b.node("Shape", [x])
    let (rows, columns) = (try at(0, shape), try at(2, shape))
    let target = b.node("Concat", [rows, b.constant(try Tensor(int64: [-1])), columns], ["axis": .int(0)])
    let made = b.node("Reshape", [x, target])
    let count = b.node("Cast", [columns], ["to": .int(Int(DataType.float32.rawValue))])
    b.output(b.node("Relu", [b.node("Div", [made, count])]), rows, b.node("Mul", [rows, columns]))
    let model = try b.model()
    #expect(model.operatorCounts.keys.allSatisfy { !["Shape", "Gather", "Concat", "Cast"].contains($0) })
    #expect(model.operatorCounts["Mul"] == nil)
    let value = Value.tensor(try input([2, 6, 4]))
    let got = try Session(model).run([value])
    let expected = try Session(b.model(optimizes: false)).run([value])
    for (a, b) in zip(got, expected) {
      #expect(try Comparison.difference(a, b, Tolerance(relative: 0, absolute: 0)) == nil)
    }
    #expect(got[1].tensor?.integers == [2] && got[2].tensor?.integers == [8])
  }

  /// What inference says of small integers is no computation: tables have rows, and narrow types wrap around.
  @Test func constantsOfIntegersFoldAsTheyAreComputed() throws {
    var b = GraphBuilder()
    let table = b.constant(try Tensor([7, 11, 2, 3] as [Int64], shape: [2, 2]))
    func index(_ value: Int) throws -> ValueID { b.constant(try Tensor(int64: [value], shape: [])) }
    func cast(_ value: ValueID, _ type: DataType) -> ValueID {
      b.node("Cast", [value], ["to": .int(Int(type.rawValue))])
    }
    let row = b.node("Gather", [table, try index(1)])
    let bytes = b.node(
      "Add",
      [b.constant(try Tensor([200] as [UInt8], shape: [1])), b.constant(try Tensor([100] as [UInt8], shape: [1]))])
    let huge = b.constant(try Tensor([UInt64.max], shape: [1]))
    let wide = b.constant(try Tensor([65_536] as [Int32], shape: [1]))
    let beyond = b.constant(try Tensor(int64: [(1 << 32) + 5]))
    b.output(
      b.node("Gather", [row, try index(0)]), cast(bytes, .int64), cast(huge, .int64),
      b.node("Div", [b.node("Mul", [wide, wide]), wide]), cast(beyond, .int32),
      b.node("Reshape", [b.input("x", .float32, [6]), row]))
    for optimizes in [true, false] {
      let got = try Session(b.model(optimizes: optimizes)).run([.tensor(try input([6]))]).map {
        try #require($0.tensor)
      }
      #expect(got.prefix(5).map(\.integers) == [[2], [44], [-1], [0], [5]])
      #expect(got[5].shape == [2, 3])
    }
  }

  @Test func constantsFold() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [4])
    let constant = b.node("Add", [b.constant(try input([4])), b.constant(try input([4], seed: 5))])
    b.output(b.node("Sub", [x, constant]))
    try check(b, [input([4])], leaves: ["Sub": 1])
  }
}
