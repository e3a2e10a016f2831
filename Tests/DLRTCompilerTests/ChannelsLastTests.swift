import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

/// The passes around convolutions must leave the numbers as they were, and no Transpose where none is needed.
@Suite struct ChannelsLastTests {
  private static func numbers(_ shape: [Int], _ seed: Int) throws -> Tensor {
    try Tensor((0..<shape.reduce(1, *)).map { Float(($0 * 37 + seed * 11) % 101) / 50 - 1 }, shape: shape)
  }

  /// Builds networks over one image `[N, 8, 10, 12]`.
  private struct Network {
    var b = GraphBuilder()
    let x: ValueID
    private var seed = 1

    init() { x = b.input("x", .float32, [.symbol("N"), 8, 10, 12]) }

    mutating func weights(_ shape: [Int]) throws -> ValueID {
      seed += 1
      return b.constant(try numbers(shape, seed))
    }

    mutating func ints(_ values: [Int]) throws -> ValueID { b.constant(try Tensor(int64: values)) }

    mutating func conv(_ x: ValueID, _ channels: Int = 8, _ outputs: Int = 8, kernel: Int = 3, group: Int = 1) throws
      -> ValueID
    {
      let pad = kernel / 2
      return b.node(
        "Conv", [x, try weights([outputs, channels / group, kernel, kernel]), try weights([outputs])],
        ["pads": .ints([pad, pad, pad, pad]), "group": .int(group)])
    }

    mutating func batchNorm(_ x: ValueID, _ channels: Int = 8) throws -> ValueID {
      seed += 1
      let variance = try Tensor((0..<channels).map { 0.5 + Float($0) / 10 }, shape: [channels])
      return b.node(
        "BatchNormalization",
        [x, try weights([channels]), try weights([channels]), try weights([channels]), b.constant(variance)])
    }
  }

  /// Runs with and without passes, and counts the Transposes that are left.
  private func check(_ network: Network, transposes: Int, _ others: [String: Int] = [:]) throws {
    let model = try network.b.model()
    let counts = model.operatorCounts
    #expect(counts["Transpose", default: 0] == transposes, "\(counts)")
    for (name, count) in others { #expect(counts[name, default: 0] == count, "\(counts)") }
    for batch in [1, 2] {
      let input: [Value?] = [.tensor(try Self.numbers([batch, 8, 10, 12], 1))]
      let expected = try Session(network.b.model(optimizes: false), options: SessionOptions(threads: 1)).run(input)
      let got = try Session(model, options: SessionOptions(threads: 2)).run(input)
      for (a, b) in zip(got, expected) {
        #expect(try Comparison.difference(a, b, Tolerance(relative: 1e-4, absolute: 1e-4)) == nil)
      }
    }
  }

  @Test func residualBlock() throws {
    var n = Network()
    let stem = n.b.node("Relu", [try n.batchNorm(try n.conv(n.x))])
    let first = n.b.node("Relu", [try n.batchNorm(try n.conv(stem))])
    let second = try n.batchNorm(try n.conv(first))
    n.b.output(n.b.node("Relu", [n.b.node("Add", [second, stem])]))
    // In and out, and nothing between.
    try check(n, transposes: 2, ["ai.dlrt::ConvNHWC": 3, "Relu": 0, "Add": 0, "BatchNormalization": 0])
  }

  @Test func aSumAfterTheActivation() throws {
    var n = Network()
    let stem = try n.conv(n.x)
    n.b.output(n.b.node("Add", [n.b.node("Sigmoid", [try n.conv(stem)]), stem]))
    try check(n, transposes: 2, ["ai.dlrt::ConvNHWC": 2, "Sigmoid": 0, "Add": 0])
  }

  @Test func squeezeAndExcite() throws {
    var n = Network()
    let depthwise = n.b.node("HardSwish", [try n.conv(n.x, group: 8)])
    let pooled = n.b.node("GlobalAveragePool", [depthwise])
    let gate = n.b.node(
      "Sigmoid", [try n.conv(n.b.node("Relu", [try n.conv(pooled, 8, 4, kernel: 1)]), 4, 8, kernel: 1)])
    n.b.output(n.b.node("Mul", [depthwise, gate]))
    try check(n, transposes: 2, ["ai.dlrt::ConvNHWC": 3, "GlobalAveragePool": 0])
  }

  @Test func poolsAndAClassifier() throws {
    var n = Network()
    let window: [String: Attribute] = [
      "kernel_shape": .ints([3, 2]), "strides": .ints([2, 2]), "pads": .ints([1, 0, 1, 1]),
    ]
    let most = n.b.node("MaxPool", [try n.conv(n.x)], window)
    let mean = n.b.node("AveragePool", [try n.conv(most)], window.merging(["count_include_pad": .int(1)]) { $1 })
    let features = n.b.node("Flatten", [n.b.node("GlobalMaxPool", [mean])])
    n.b.output(n.b.node("MatMul", [features, try n.weights([8, 5])]))
    try check(n, transposes: 1, ["ai.dlrt::PoolNHWC": 2])
  }

  @Test func concatSplitSliceAndPad() throws {
    var n = Network()
    let joined = n.b.node("Concat", [try n.conv(n.x), n.x], ["axis": .int(1)])
    let parts = n.b.nodes("Split", [try n.conv(joined, 16, 8)], ["axis": .int(-3), "num_outputs": .int(2)], outputs: 2)
    let cut = n.b.node("Slice", [parts[0], try n.ints([1]), try n.ints([9]), try n.ints([-1]), try n.ints([2])])
    let padded = n.b.node("Pad", [cut, try n.ints([0, 0, 1, 0, 0, 1, 0, 3])])
    n.b.output(n.b.node("Softmax", [try n.conv(padded, 5, 4)], ["axis": .int(1)]), parts[1])
    try check(n, transposes: 3)
  }

  /// As in ConvNeXt: channels are brought to the end for what works on them, and back.
  @Test func aDetourThroughTheOtherLayout() throws {
    var n = Network()
    let stem = try n.conv(n.x)
    let turned = n.b.node("Transpose", [try n.conv(stem)], ["perm": .ints([0, 2, 3, 1])])
    let product = n.b.node("MatMul", [n.b.node("Softmax", [turned]), try n.weights([8, 8])])
    let back = n.b.node("Transpose", [product], ["perm": .ints([0, 3, 1, 2])])
    let scaled = n.b.node("Mul", [try n.weights([8, 1, 1]), back])
    n.b.output(try n.conv(n.b.node("Add", [scaled, stem])))
    try check(n, transposes: 2)
  }

  /// Where nothing works in the new layout, everything stays as it was.
  @Test func transposesAlone() throws {
    var n = Network()
    let back = n.b.node("Transpose", [n.x], ["perm": .ints([0, 3, 1, 2])])
    n.b.output(n.b.node("MatMul", [back, try n.weights([10, 5])]), n.b.node("Exp", [back]))
    try check(n, transposes: 2)
  }

  @Test(arguments: [2, 4]) func shuffledChannels(_ groups: Int) throws {
    var n = Network()
    let parted = n.b.node("Reshape", [try n.conv(n.x), try n.ints([0, groups, 8 / groups, 10, 12])])
    let turned = n.b.node("Transpose", [parted], ["perm": .ints([0, 2, 1, 3, 4])])
    let shuffled = n.b.node("Reshape", [turned, try n.ints([0, 8, 10, 12])])
    n.b.output(n.b.node("Add", [try n.conv(shuffled), shuffled]))
    // In, out, and the shuffle itself.
    try check(n, transposes: 3, ["ai.dlrt::ConvNHWC": 2])
  }

  @Test(arguments: ["nearest", "linear"]) func resizing(_ mode: String) throws {
    var n = Network()
    let scales = n.b.constant(try Tensor([1, 1, 2, 1.5] as [Float], shape: [4]))
    let large = n.b.node("Resize", [try n.conv(n.x), nil, scales], ["mode": .string(mode)])
    let sizes = try n.ints([7, 9])
    n.b.output(
      n.b.node("Resize", [try n.conv(large), nil, nil, sizes], ["mode": .string(mode), "axes": .ints([-2, -1])]))
    try check(n, transposes: 2)
  }

  /// Sizes that only the run knows leave the rank, by which the result finds back to the old layout.
  @Test func sizesOfTheRun() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [2, 8, 4, 4])
    let y = b.node("Conv", [x, b.constant(try Self.numbers([8, 8, 1, 1], 2))])
    b.output(b.node("Resize", [y, nil, nil, b.input("sizes", .int64, [.symbol("k")])], ["mode": .string("nearest")]))
    b.output(b.node("Resize", [y, nil, b.input("scales", .float32, nil)], ["mode": .string("linear")]))
    for part in b.nodes("Split", [y, b.input("parts", .int64, [.symbol("l")])], ["axis": .int(-3)], outputs: 2) {
      b.output(part)
    }
    let inputs: [Value?] = [
      .tensor(try Self.numbers([2, 8, 4, 4], 3)), .tensor(try Tensor(int64: [2, 8, 7, 6])),
      .tensor(try Tensor([Float(1), 1, 2, 1.5], shape: [4])), .tensor(try Tensor(int64: [3, 5])),
    ]
    let expected = try Session(b.model(optimizes: false)).run(inputs)
    for (got, expected) in zip(try b.run(inputs), expected) {
      #expect(try Comparison.difference(got, expected, Tolerance(relative: 1e-4, absolute: 1e-4)) == nil)
    }
  }

  @Test func upsamplingByTransposedConvolutions() throws {
    var n = Network()
    let up = n.b.node(
      "ConvTranspose", [try n.conv(n.x), try n.weights([8, 4, 2, 2]), try n.weights([4])], ["strides": .ints([2, 2])])
    n.b.output(n.b.node("LeakyRelu", [up], ["alpha": .float(0.1)]))
    try check(n, transposes: 2, ["ai.dlrt::ConvTransposeNHWC": 1, "LeakyRelu": 0])
  }

  @Test func reductionsWithAndWithoutAxes() throws {
    var n = Network()
    let y = try n.conv(n.x)
    n.b.output(n.b.node("ReduceMean", [y, try n.ints([2, 3])], ["keepdims": .int(0)]))
    n.b.output(n.b.node("ReduceSum", [y, try n.ints([1])], ["keepdims": .int(0)]))
    n.b.output(n.b.node("ArgMax", [y], ["axis": .int(1), "keepdims": .int(0)]))
    n.b.output(n.b.node("Shape", [y], ["start": .int(1)]))
    try check(n, transposes: 1)
    // An order of axes that stays visible needs the old layout.
    n.b.output(n.b.node("ReduceMax", [y, try n.ints([2])], ["keepdims": .int(0)]))
    try check(n, transposes: 2)
  }

  @Test func tokensOfPatches() throws {
    var n = Network()
    let patches = n.b.node("Reshape", [try n.conv(n.x), try n.ints([0, 8, -1])])
    n.b.output(n.b.node("Transpose", [patches], ["perm": .ints([0, 2, 1])]))
    try check(n, transposes: 1)
  }

  @Test func broadcasts() throws {
    var n = Network()
    let y = n.b.node("PRelu", [try n.conv(n.x), try n.weights([8, 1, 1])])
    let map = n.b.node("Mul", [y, try n.weights([10, 12])])
    let row = n.b.node("ReduceMean", [n.x, try n.ints([0, 1, 2])], ["keepdims": .int(0)])
    n.b.output(n.b.node("Sub", [map, row]))
    try check(n, transposes: 2)
  }

  /// A single number that a convolution of lower rank makes is read where that has put it.
  @Test func anImageTimesANumberFromASequence() throws {
    var b = GraphBuilder()
    let image = b.node(
      "Conv", [b.input("x", .float32, [1, 8, 6, 5]), b.constant(try Self.numbers([8, 8, 1, 1], 2))])
    let number = b.node("Conv", [b.input("s", .float32, [1, 3, 4]), b.constant(try Self.numbers([1, 3, 4], 3))])
    b.output(b.node("Mul", [image, number]))
    let inputs: [Value?] = [.tensor(try Self.numbers([1, 8, 6, 5], 4)), .tensor(try Self.numbers([1, 3, 4], 5))]
    let expected = try Session(b.model(optimizes: false)).run(inputs)[0]
    #expect(
      try Comparison.difference(b.run(inputs)[0], expected, Tolerance(relative: 1e-4, absolute: 1e-4)) == nil)
  }

  @Test func constantsOfChannelsGoIntoTheWeights() throws {
    var n = Network()
    let scaled = n.b.node("Mul", [try n.weights([1, 8, 1, 1]), try n.conv(n.x)])
    let shifted = n.b.node("Sub", [n.b.node("Add", [scaled, try n.weights([8, 1, 1])]), try n.weights([1])])
    let up = n.b.node(
      "ConvTranspose", [shifted, try n.weights([8, 3, 3, 3])], ["strides": .ints([2, 2]), "group": .int(2)])
    n.b.output(try n.batchNorm(up, 6))
    try check(
      n, transposes: 2, ["Mul": 0, "Add": 0, "Sub": 0, "BatchNormalization": 0, "ai.dlrt::FusedElementwise": 0])
  }

  @Test func fewChannelsAreTurnedByTheirConvolution() throws {
    var n = Network()
    let three = n.b.node("Slice", [n.x, try n.ints([0]), try n.ints([3]), try n.ints([1])])
    n.b.output(n.b.node("GlobalAveragePool", [try n.conv(three, 3, 8)]))
    try check(n, transposes: 1)
  }

  @Test func tokensThatBecomeAnImageAgain() throws {
    var n = Network()
    let patches = n.b.node("Reshape", [try n.conv(n.x), try n.ints([0, 8, -1])])
    let tokens = n.b.node("Transpose", [patches], ["perm": .ints([0, 2, 1])])
    let mixed = n.b.node("MatMul", [tokens, try n.weights([8, 6])])
    let turned = n.b.node("Transpose", [mixed], ["perm": .ints([0, 2, 1])])
    let image = n.b.node("Reshape", [turned, try n.ints([0, 6, 10, -1])])
    n.b.output(try n.conv(image, 6, 8))
    try check(n, transposes: 2)
    // Who wants the old layout gets it.
    n.b.output(n.b.node("Reshape", [image, try n.ints([0, 6 * 10, 12])]))
    try check(n, transposes: 3)
  }

  @Test(arguments: [1, 2, 4]) func normalisationsOfPlanes(_ groups: Int) throws {
    var n = Network()
    let y = try n.conv(n.x)
    let normal = n.b.node("InstanceNormalization", [y, try n.weights([8]), try n.weights([8])])
    let parted = n.b.node("Reshape", [try n.conv(normal), try n.ints([0, groups, -1])])
    let ones = n.b.constant(try Tensor([Float](repeating: 1, count: groups), shape: [groups]))
    let zeros = n.b.constant(try Tensor([Float](repeating: 0, count: groups), shape: [groups]))
    let plain = n.b.node("InstanceNormalization", [parted, ones, zeros], ["epsilon": .float(0.1)])
    let whole = n.b.node("Reshape", [plain, try n.ints([0, 8, 10, 12])])
    let scaled = n.b.node("Mul", [whole, try n.weights([8, 1, 1])])
    n.b.output(n.b.node("Relu", [n.b.node("Add", [scaled, try n.weights([8, 1, 1])])]))
    try check(n, transposes: 2, ["ai.dlrt::NormalizationNHWC": 2, "InstanceNormalization": 0, "Mul": 0, "Relu": 0])
  }

  /// A normalisation loses nothing where the mean is far from zero, differs from block to block, and blocks are many; rows
  /// of few channels are taken together, whether pixels come out even or not.
  @Test(arguments: [[24, 40, 40], [16, 33, 41], [5, 37, 59], [3, 1, 7], [130, 9, 11], [300, 13, 7]])
  func normalisationsFarFromZero(_ size: [Int]) throws {
    var b = GraphBuilder()
    let (channels, pixels) = (size[0], size[1] * size[2]), shape = [1] + size
    let x = b.input("x", .float32, Shape(shape))
    let identity = try Tensor(
      (0..<channels * channels).map { $0 % (channels + 1) == 0 ? Float(1) : 0 }, shape: [channels, channels, 1, 1])
    let y = b.node("Conv", [x, b.constant(identity)])
    let scale = (0..<channels).map { Float($0 % 7 + 1) }, bias = (0..<channels).map { Float($0 % 5) }
    b.output(
      b.node(
        "InstanceNormalization",
        [y, b.constant(try Tensor(scale, shape: [channels])), b.constant(try Tensor(bias, shape: [channels]))]
      ))
    let values = (0..<channels * pixels).map { (index: Int) -> Float in
      let level = Float(1000 * (index % pixels * 4 / pixels + 1))
      return level + Float(index * 37 % 101) / 50
    }
    let input: [Value?] = [.tensor(try Tensor(values, shape: shape))]
    let expected = try Session(b.model(optimizes: false), options: SessionOptions(threads: 1)).run(input)
    let got = try Session(b.model(), options: SessionOptions(threads: 2)).run(input)
    #expect(try b.model().operatorCounts["ai.dlrt::NormalizationNHWC"] == 1)
    #expect(try Comparison.difference(got[0], expected[0], Tolerance(relative: 1e-5, absolute: 1e-4)) == nil)
  }

  /// Windows of which some taps, or all but one, meet only padding.
  @Test(arguments: [[9, 9], [11, 9], [9, 11], [10, 12], [16, 16]]) func widelyDilatedWindows(_ dilation: [Int]) throws {
    var n = Network()
    let (h, w) = (dilation[0], dilation[1])
    let y = n.b.node(
      "Conv", [n.x, try n.weights([8, 8, 3, 3]), try n.weights([8])],
      ["pads": .ints([h, w, h, w]), "dilations": .ints(dilation)])
    let grouped = n.b.node(
      "Conv", [y, try n.weights([8, 1, 5, 3])],
      ["pads": .ints([2 * h, w, 2 * h + 1, w - 1]), "dilations": .ints(dilation), "group": .int(8)])
    n.b.output(grouped)
    try check(n, transposes: 2)
  }

  /// Each part of a Concat is written where the whole is.
  @Test(arguments: ["nearest", "linear", "cubic"]) func resizedPartsOfAConcat(_ mode: String) throws {
    var n = Network()
    let roi = n.b.constant(try Tensor([-0.5, 0.25, 0.75, 1.5] as [Float], shape: [4]))
    func resized(_ x: ValueID, _ axes: [Int], _ sizes: [Int], crops: Bool = false) throws -> ValueID {
      let transformation = crops ? "tf_crop_and_resize" : "half_pixel"
      return n.b.node(
        "Resize", [x, crops ? roi : nil, nil, try n.ints(sizes)],
        [
          "mode": .string(mode), "axes": .ints(axes), "coordinate_transformation_mode": .string(transformation),
          "extrapolation_value": .float(7),
        ])
    }
    let small = n.b.node("Tanh", [try n.conv(n.x)])
    let large = n.b.node("Tanh", [try n.conv(try resized(small, [2, 3], [20, 18]))])
    let wide = n.b.node("Tanh", [try n.conv(try resized(small, [3], [18]))])
    let parts = try [
      resized(n.conv(small), [2, 3], [20, 18]), resized(n.conv(large), [2, 3], [20, 18]),
      resized(n.conv(small), [2, 3], [20, 18], crops: true), resized(n.conv(wide), [2], [20]),
      resized(n.conv(large), [1], [16]),
    ]
    n.b.output(n.b.node("Add", [n.b.node("Concat", parts, ["axis": .int(1)]), try n.weights([48, 1, 1])]))
    try check(n, transposes: 2)
  }

  /// Rows that were an image with channels last themselves are not there as tokens.
  @Test func rowsOfAnImageThatBecomeAnImage() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [3, 2, 5, 7])
    let image = b.node("Sigmoid", [b.node("Transpose", [x], ["perm": .ints([0, 3, 1, 2])])])
    let rows = b.node("Reshape", [image, b.constant(try Tensor(int64: [3, 7, 10]))])
    let turned = b.node("Transpose", [rows], ["perm": .ints([0, 2, 1])])
    b.output(b.node("Tanh", [b.node("Reshape", [turned, b.constant(try Tensor(int64: [3, 10, 7, 1]))])]))
    var numbers = RandomNumbers(seed: 9)
    let value = Value.tensor(try numbers.tensor([3, 2, 5, 7]))
    let got = try b.run([value])[0], expected = try Session(b.model(optimizes: false)).run([value])[0]
    #expect(try Comparison.difference(got, expected, Tolerance(relative: 1e-5, absolute: 1e-5)) == nil)
  }

  /// Zeros around images become padding; anything else that a Pad does stays.
  @Test func paddingOfItsOwn() throws {
    var n = Network()
    let (zero, one) = (n.b.constant(try Tensor(scalar: Float(0))), n.b.constant(try Tensor(scalar: Float(1))))
    func conv(_ x: ValueID, _ channels: Int = 8) throws -> ValueID {
      n.b.node("Tanh", [try n.conv(x, channels)])
    }
    let uneven = n.b.node("Pad", [n.x, try n.ints([0, 0, 1, 2, 0, 0, 0, 3]), zero])
    let some = n.b.node("Pad", [try conv(uneven), try n.ints([1, 2]), nil, try n.ints([-1])])
    let channels = n.b.node("Pad", [try conv(some), try n.ints([0, 1, 0, 0, 0, 0, 0, 0])])
    let around = try n.ints([0, 0, 1, 1, 0, 0, 1, 1])
    let edge = n.b.node("Pad", [try conv(channels, 9), around], ["mode": .string("edge")])
    let ones = n.b.node("Pad", [try conv(edge), around, one])
    let less = n.b.node("Pad", [try conv(ones), try n.ints([0, 0, -1, 1, 0, 0, 1, 1])])
    n.b.output(try conv(less))
    try check(n, transposes: 2, ["ai.dlrt::ConvNHWC": 6, "Pad": 4])
  }

  @Test(arguments: [(4, 2, 1, 3), (4, 2, 1, 20), (5, 2, 2, 1), (2, 3, 0, 2), (20, 10, 0, 1), (6, 3, 4, 2)])
  func transposedConvolutionsAcross(_ kernel: Int, _ stride: Int, _ pad: Int, _ outputs: Int) throws {
    var n = Network()
    n.b.output(
      n.b.node(
        "ConvTranspose", [try n.conv(n.x), try n.weights([8, outputs, 3, kernel]), try n.weights([outputs])],
        ["strides": .ints([2, stride]), "pads": .ints([1, pad, 1, kernel % 2 == 1 ? pad - 1 : pad])]))
    try check(n, transposes: 2, ["ai.dlrt::ConvTransposeNHWC": 1])
  }

  /// Windows that do not overlap are products, whose rows lie apart where the pixels are parts of larger ones.
  @Test(arguments: [[1, 2], [2, 2], [3, 1], [2, 4]])
  func transposedConvolutionsSideBySide(_ kernel: [Int]) throws {
    var n = Network()
    let x = try n.conv(n.x)
    let parts = try [20, 5].map {
      n.b.node("ConvTranspose", [x, try n.weights([8, $0] + kernel), try n.weights([$0])], ["strides": .ints(kernel)])
    }
    n.b.output(try n.conv(n.b.node("Concat", parts, ["axis": .int(1)]), 25))
    try check(n, transposes: 2, ["ai.dlrt::ConvTransposeNHWC": 2])
  }
}
