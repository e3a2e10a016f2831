import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@testable import DLRTFiles

/// Convolutions of one image that are added up, and what is done to the channels of several, go into their weights.
@Suite struct MergeConvolutionsTests: PassChecks {
  /// A convolution of some image, by windows of pixels that surround theirs, and what is done to its channels.
  struct Branch: Sendable {
    var kernel: [Int]
    var dilation = 1
    var isScaled = false

    var attributes: [String: Attribute] {
      [
        "pads": .ints((kernel + kernel).map { ($0 - 1) / 2 * dilation }),
        "dilations": .ints(kernel.map { _ in dilation }),
      ]
    }
  }

  private func convolution(
    _ b: inout GraphBuilder, _ x: ValueID, _ branch: Branch, channels: Int, outputs: Int, group: Int = 1,
    stride: Int = 1, seed: Int
  ) throws -> ValueID {
    var attributes = branch.attributes
    attributes["group"] = .int(group)
    attributes["strides"] = .ints(branch.kernel.map { _ in stride })
    let weights = b.constant(try input([outputs, channels / group] + branch.kernel, seed: seed))
    let inputs = seed % 3 == 0 ? [x, weights] : [x, weights, b.constant(try input([outputs], seed: seed + 1))]
    let value = b.node("Conv", inputs, attributes)
    return branch.isScaled
      ? try normalized(&b, value, outputs, rank: branch.kernel.count, seed: seed + 2) : value
  }

  /// BatchNormalization, or a factor and a summand for each channel.
  private func normalized(
    _ b: inout GraphBuilder, _ x: ValueID, _ channels: Int, rank: Int, seed: Int
  ) throws -> ValueID {
    let scale = b.constant(try input([channels], seed: seed)), shift = b.constant(try input([channels], seed: seed + 5))
    if seed % 2 == 0 {
      let variance = b.constant(try Tensor((0..<channels).map { Float($0 % 4) + 0.5 }, shape: [channels]))
      return b.node("BatchNormalization", [x, scale, shift, shift, variance])
    }
    let shape = [channels] + Array(repeating: 1, count: rank)
    let factors = b.constant(try input(shape, seed: seed)), summands = b.constant(try input(shape, seed: seed + 5))
    return b.node("Add", [summands, b.node("Mul", [factors, x])])
  }

  private func counts(_ convolutions: Int, _ others: [String: Int] = [:]) -> [String: Int] {
    others.merging(["Conv": convolutions]) { $1 }
  }

  /// How many of each operator are left, by ONNX's names and without what only changes the layout.
  private func left(_ builder: GraphBuilder) throws -> [String: Int] {
    var counts: [String: Int] = [:]
    for (name, count) in try builder.model().operatorCounts where name != "Transpose" {
      counts[name == "ai.dlrt::ConvNHWC" ? "Conv" : name, default: 0] += count
    }
    return counts
  }

  private func check(_ builder: GraphBuilder, _ shapes: [[Int]], leaves operators: [String: Int]) throws {
    #expect(try left(builder) == operators)
    for shape in shapes {
      let values = [Value?.some(.tensor(try input(shape)))]
      let plain = try Session(builder.model(optimizes: false), options: SessionOptions(threads: 1)).run(values)
      let got = try Session(builder.model(), options: SessionOptions(threads: 2)).run(values)
      for (a, b) in zip(got, plain) {
        let difference = try Comparison.difference(a, b, Tolerance(relative: 1e-4, absolute: 2e-4))
        #expect(difference == nil, "\(shape)")
      }
    }
  }

  /// As RepVGG has it: 3 × 3, 1 × 1 and the image itself, each normalised, with an activation.
  @Test(arguments: [1, 8]) func blocksOfThreeBranchesAreOneConvolution(group: Int) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), .known(8), .symbol("H"), .symbol("W")])
    let large = try convolution(
      &b, x, Branch(kernel: [3, 3], isScaled: true), channels: 8, outputs: 8, group: group, seed: 2)
    let small = try convolution(
      &b, x, Branch(kernel: [1, 1], isScaled: true), channels: 8, outputs: 8, group: group, seed: 3)
    let own = try normalized(&b, x, 8, rank: 2, seed: 4)
    b.output(b.node("Relu", [b.node("Add", [b.node("Add", [own, small]), large])]))
    try check(b, [[2, 8, 9, 7], [1, 8, 1, 1]], leaves: counts(1))
  }

  /// As FastViT has it: what a block adds to its image is a difference of two sums, times a factor for each channel.
  @Test func sumsWithinSumsAreOneConvolution() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.known(1), .known(20), .known(11), .known(6)])
    let mixed = b.node(
      "Add",
      [
        try convolution(&b, x, Branch(kernel: [3, 3], isScaled: true), channels: 20, outputs: 20, group: 20, seed: 2),
        try normalized(&b, x, 20, rank: 2, seed: 4),
      ])
    let difference = b.node("Sub", [mixed, try normalized(&b, x, 20, rank: 2, seed: 5)])
    b.output(b.node("Add", [x, b.node("Mul", [b.constant(try input([20, 1, 1], seed: 6)), difference])]))
    try check(b, [[1, 20, 11, 6]], leaves: counts(1))
  }

  /// Windows, strides and groups at random, in one to three dimensions, with the image and another value among the terms.
  @Test(arguments: 0..<120) func randomSumsAreOneConvolution(seed: Int) throws {
    var random = SplitMix(state: UInt64(seed) * 7919)
    func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &random)] }
    let rank = pick([1, 2, 2, 3]), stride = pick([1, 1, 2])
    let (group, inputs, outputs) = pick([(1, 5, 7), (1, 6, 6), (4, 2, 2), (6, 1, 1), (5, 1, 2)])
    let channels = (group * inputs, group * outputs)
    let size = (0..<rank).map { _ in pick([5, 6, 7, 8, 9]) }
    var b = GraphBuilder()
    let x = b.input("x", .float32, Shape([.symbol("N"), .known(channels.0)] + size.map { Dim.known($0) }))
    // All have one dilation, and the first covers the others.
    let dilation = pick([1, 1, 2]), largest = pick([3, 5])
    func convolution(_ kernel: [Int], _ seed: Int, of image: ValueID? = nil) throws -> ValueID {
      try self.convolution(
        &b, image ?? x, Branch(kernel: kernel, dilation: dilation, isScaled: pick([true, false])), channels: channels.0,
        outputs: channels.1, group: group, stride: stride, seed: seed)
    }
    var terms = [try convolution(Array(repeating: largest, count: rank), seed)]
    for index in 1...pick([1, 2, 3]) {
      terms.append(try convolution((0..<rank).map { _ in pick([1, 3]) }, seed + 7 * index))
    }
    if channels.0 == channels.1, stride == 1 {
      terms.append(pick([true, false]) ? x : try normalized(&b, x, channels.0, rank: rank, seed: seed))
    }
    let hasOther = pick([true, false])
    if hasOther { terms.append(b.node("Softmax", [try convolution(Array(repeating: 1, count: rank), seed + 50)])) }
    let hasSecondImage = pick([true, false])
    if hasSecondImage {
      let image = b.node("Sin", [x])
      terms.append(try convolution(Array(repeating: largest, count: rank), seed + 60, of: image))
      terms.append(try convolution(Array(repeating: 1, count: rank), seed + 70, of: image))
    }
    while terms.count > 1 {
      let first = terms.remove(at: Int.random(in: 0..<terms.count, using: &random))
      let second = terms.remove(at: Int.random(in: 0..<terms.count, using: &random))
      terms.append(b.node(pick(["Add", "Add", "Sub"]), [first, second]))
    }
    b.output(b.node("Tanh", [b.node("Mul", [terms[0], b.constant(try Tensor([Float(0.05)], shape: [1]))])]))
    let operators = try left(b)
    #expect(operators["Conv"] == 1 + (hasOther ? 1 : 0) + (hasSecondImage ? 1 : 0), "\(operators)")
    try check(b, [[2, channels.0] + size], leaves: operators)
  }

  @Test func whatIsNotOneConvolutionStays() throws {
    // Each makes another image, or somebody else reads it, or one window for both would be more work.
    for form in 0..<6 {
      var b = GraphBuilder()
      let x = b.input("x", .float32, [.known(1), .known(4), .known(9), .known(9)])
      let y = form == 0 ? b.node("Sin", [x]) : x
      let group = form == 1 ? 2 : 1
      let first = try convolution(
        &b, x, Branch(kernel: form == 2 ? [1, 5] : [3, 3]), channels: 4, outputs: 4, seed: 1)
      var second = try convolution(
        &b, y, Branch(kernel: form == 2 ? [5, 1] : [3, 3], dilation: form == 3 ? 2 : 1), channels: 4, outputs: 4,
        group: group, seed: 2)
      if form == 4 { b.output(second) }
      // One number for each channel, which the sum gives to all pixels.
      if form == 5 {
        let weights = b.constant(try input([4, 4, 9, 9], seed: 3))
        second = b.node("Conv", [x, weights])
      }
      b.output(b.node("Add", [first, second]))
      #expect(try left(b)["Conv"] == 2, "\(form)")
      try check(b, [[1, 4, 9, 9]], leaves: try left(b))
    }
  }

  /// Sums of other values are made as they were, and factors that cancel leave the weights as they were.
  @Test(arguments: [false, true]) func largeTermsCancel(ofTheImage: Bool) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.known(1), .known(4), .known(5), .known(5)])
    let y = ofTheImage ? x : b.node("Sin", [x])
    let large = b.node("Mul", [y, b.constant(try Tensor([Float(1e9)], shape: []))])
    let same = b.node("Sub", [large, b.node("Mul", [y, b.constant(try Tensor([Float(1e9)], shape: [1]))])])
    let first = try convolution(&b, x, Branch(kernel: [3, 3]), channels: 4, outputs: 4, seed: 1)
    let second = try convolution(&b, x, Branch(kernel: [1, 1]), channels: 4, outputs: 4, seed: 2)
    b.output(b.node("Sub", [b.node("Sub", [second, same]), first]))
    let operators = try left(b)
    #expect(operators["Conv"] == 1, "\(operators)")
    try check(b, [[1, 4, 5, 5]], leaves: operators)
  }

  /// Sizes that a model only declares, and windows that reach far, cost nothing while it is loaded.
  @Test func declaredSizesCostNothing() throws {
    for form in 0..<4 {
      var b = GraphBuilder()
      let x = b.input("x", .float32, [.known(1), .known(1 << 40), .known(1), .known(1)])
      let z = b.input("z", .float32, [.known(1), .symbol("C"), .known(1), .known(1)])
      let doubled = b.node("Mul", [x, b.constant(try Tensor([Float(2)], shape: []))])
      switch form {
      case 0: b.output(b.node("Add", [doubled, z]))
      case 1: b.output(b.node("Sub", [z, doubled]))
      case 2: b.output(b.node("Relu", [b.node("Concat", [doubled, doubled], ["axis": .int(1)])]))
      default:
        let image = b.input("i", .float32, [1, 1, .symbol("D"), .symbol("H"), .symbol("W")])
        let far = 1 << 24, weights = b.constant(try input([1, 1, 1, 1, 1]))
        let before = b.node("Conv", [image, weights], ["pads": .ints([far, far, far, 0, 0, 0])])
        let behind = b.node("Conv", [image, weights], ["pads": .ints([0, 0, 0, far, far, far])])
        b.output(b.node("Add", [before, behind]))
      }
      _ = try b.model()
    }
  }

  /// As MixNet has it: convolutions of parts of an image side by side, then a normalisation and an activation.
  @Test(arguments: ["Relu", "HardSwish", "Clip"]) func channelsSideBySideAreDoneApart(activation: String) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), .known(6), .symbol("H"), .symbol("W")])
    let parts = try [3, 5, 8].enumerated().map { index, outputs in
      try convolution(&b, x, Branch(kernel: [3, 3], isScaled: index == 1), channels: 6, outputs: outputs, seed: index)
    }
    let joined = try normalized(&b, b.node("Concat", parts, ["axis": .int(-3)]), 16, rank: 2, seed: 8)
    var inputs = [joined]
    if activation == "Clip" { inputs += try [-0.5, 2].map { b.constant(try Tensor([Float($0)], shape: [])) } }
    b.output(b.node("Abs", [b.node("MaxPool", [b.node(activation, inputs)], ["kernel_shape": .ints([2, 2])])]))
    try check(b, [[2, 6, 9, 7], [1, 6, 2, 2]], leaves: counts(3, ["Concat": 1, "ai.dlrt::PoolNHWC": 1, "Abs": 1]))
  }

  @Test func channelsOfOtherOriginAreDoneTogether() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.known(1), .known(6), .known(5), .known(5)])
    let made = try convolution(&b, x, Branch(kernel: [3, 3]), channels: 6, outputs: 5, seed: 1)
    let joined = b.node("Concat", [made, b.node("Sin", [x])], ["axis": .int(1)])
    b.output(try normalized(&b, joined, 11, rank: 2, seed: 2))
    let operators = try left(b)
    #expect(operators["ai.dlrt::FusedElementwise"] == 1, "\(operators)")
    try check(b, [[1, 6, 5, 5]], leaves: operators)
  }

  /// "Same" padding as PyTorch computes it: of each image's size, in floats, before each convolution.
  @Test func paddingThatIsComputedFromSizesGoesIntoConvolutions() throws {
    var b = GraphBuilder()
    var value = b.input("x", .float32, [.known(1), .known(3), .known(97), .known(70)])
    func floats(_ numbers: [Float]) throws -> ValueID { b.constant(try Tensor(numbers, shape: [numbers.count])) }
    func integers(_ numbers: [Int]) throws -> ValueID { b.constant(try Tensor(int64: numbers)) }
    for _ in 0..<5 {
      let whole = b.node("Slice", [b.node("Shape", [value]), try integers([2]), try integers([4])])
      let size = b.node("Cast", [whole], ["to": .int(1)])
      let outputs = b.node("Ceil", [b.node("Div", [size, try floats([2])])])
      let steps = b.node("Mul", [b.node("Sub", [outputs, try floats([1])]), try floats([2])])
      let covered = b.node("Add", [steps, try floats([3])])
      let missing = b.node("Max", [b.node("Sub", [covered, size]), try floats([0])])
      let before = b.node("Floor", [b.node("Div", [missing, try floats([2])])])
      let none = try floats([0, 0])
      let pads = b.node("Concat", [none, before, none, b.node("Sub", [missing, before])], ["axis": .int(0)])
      value = b.node("Pad", [value, b.node("Cast", [pads], ["to": .int(7)])])
      let weights = try Tensor((0..<81).map { Float($0 % 5) / 50 }, shape: [3, 3, 3, 3])
      value = b.node("Conv", [value, b.constant(weights)], ["strides": .ints([2, 2])])
    }
    b.output(value)
    #expect(try left(b)["Pad"] == nil)
    try check(b, [[1, 3, 97, 70]], leaves: counts(5))
  }
}
