import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

/// Depthwise convolutions that are run together with their neighbours give what the three give one after the other.
@Suite struct DepthwiseBlockTests {
  /// A block over images `[N, 12, height, width]`, between two operators that no convolution takes up.
  struct Block: CustomTestStringConvertible, Sendable {
    var height = 41
    var width = 50
    var expands = true
    /// A convolution of a larger window and few channels in place of the one that expands.
    var stem: Stem?
    var projects = true
    var hidden = 72
    var kernel = [3, 3]
    var strides = [1, 1]
    var dilations = [1, 1]
    var pads = [1, 1, 1, 1]
    var activation = "Relu"
    var hasResidual = false
    var isResidualActivated = false

    struct Stem: Sendable {
      var channels = 3
      var kernel = [3, 3]
      var strides = [2, 2]
      var dilations = [1, 1]
      var pads = [1, 1, 1, 1]
      /// Whether another convolution comes first, so that this one finds its image with channels last.
      var isSecond = false
    }

    var testDescription: String {
      "\(stem.map { "\($0) " } ?? "")\(kernel) \(strides) \(pads) \(activation) \(expands) \(projects) \(hidden)"
    }

    func graph(_ height: Dim, _ width: Dim) throws -> GraphBuilder {
      var b = GraphBuilder()
      let x = b.input("x", .float32, [.symbol("N"), .known(channels), height, width])
      var value = b.node("Abs", [x])
      if let stem {
        if stem.isSecond { value = try conv(&b, value, stem.channels, stem.channels) }
        value = b.node(
          "Conv",
          [
            value, b.constant(try numbers([hidden, stem.channels] + stem.kernel, 8)),
            b.constant(try numbers([hidden], 9)),
          ],
          ["pads": .ints(stem.pads), "strides": .ints(stem.strides), "dilations": .ints(stem.dilations)])
        value = b.node(activation, [value])
      } else if expands {
        value = b.node(activation, [try conv(&b, value, 12, hidden)])
      }
      value = b.node(
        "Conv",
        [
          value, b.constant(try numbers([hidden, 1] + kernel, 3)), b.constant(try numbers([hidden], 4)),
        ],
        [
          "pads": .ints(pads), "strides": .ints(strides), "dilations": .ints(dilations), "group": .int(hidden),
        ])
      value = b.node(activation, [value])
      if projects {
        value = try conv(&b, value, hidden, 20)
        if hasResidual {
          let other = b.input("r", .float32, [.symbol("N"), .known(20), .symbol("H2"), .symbol("W2")])
          if isResidualActivated { value = b.node("Relu", [value]) }
          value = b.node("Add", [value, b.node("Abs", [other])])
        }
      }
      b.output(b.node("Abs", [value]))
      return b
    }

    var channels: Int { stem?.channels ?? (expands ? 12 : hidden) }

    func output(_ axis: Int, _ size: Int) -> Int {
      var size = size
      if let stem {
        size =
          (size + stem.pads[axis] + stem.pads[axis + 2] - (stem.kernel[axis] - 1) * stem.dilations[axis] - 1)
          / stem.strides[axis] + 1
      }
      return (size + pads[axis] + pads[axis + 2] - (kernel[axis] - 1) * dilations[axis] - 1) / strides[axis] + 1
    }

    private func conv(_ b: inout GraphBuilder, _ x: ValueID, _ inputs: Int, _ outputs: Int) throws -> ValueID {
      b.node(
        "Conv", [x, b.constant(try numbers([outputs, inputs, 1, 1], 1)), b.constant(try numbers([outputs], 2))], [:])
    }
  }

  private static let blocks: [Block] = [
    Block(),
    Block(kernel: [5, 5], strides: [2, 2], pads: [2, 2, 2, 2], activation: "HardSwish"),
    Block(kernel: [3, 3], strides: [2, 2], pads: [0, 0, 1, 1], activation: "Sigmoid"),
    Block(kernel: [7, 7], pads: [3, 3, 3, 3], activation: "HardSwish", hasResidual: true),
    Block(kernel: [3, 5], dilations: [2, 1], pads: [2, 2, 2, 2], hasResidual: true, isResidualActivated: true),
    Block(kernel: [2, 4], strides: [3, 1], pads: [0, 1, 1, 2]),
    Block(kernel: [1, 3], strides: [3, 2], pads: [0, 1, 0, 1]),
    Block(projects: false, activation: "Sigmoid"),
    Block(expands: false),
    Block(expands: false, hidden: 70, kernel: [5, 5], pads: [2, 2, 2, 2], hasResidual: true),
    Block(height: 200, width: 9, hidden: 80),
    Block(height: 9, width: 211, hidden: 80, kernel: [7, 7], pads: [3, 3, 3, 3]),
    Block(height: 97, width: 83, stem: Block.Stem()),
    Block(height: 97, width: 83, stem: Block.Stem(), projects: false, hidden: 80, activation: "HardSwish"),
    Block(height: 61, width: 70, stem: Block.Stem(kernel: [7, 7], strides: [1, 1], pads: [3, 3, 3, 3])),
    Block(
      height: 80, width: 91, stem: Block.Stem(channels: 1, kernel: [5, 3], strides: [1, 2], pads: [0, 1, 2, 0]),
      hidden: 64, kernel: [5, 5], strides: [2, 2], pads: [2, 2, 2, 2], activation: "Sigmoid", hasResidual: true),
    Block(
      height: 90, width: 70,
      stem: Block.Stem(channels: 8, strides: [1, 1], dilations: [3, 2], pads: [3, 2, 3, 2], isSecond: true)),
    Block(
      height: 190, width: 170, stem: Block.Stem(channels: 8, kernel: [1, 1], pads: [0, 0, 0, 0], isSecond: true)),
    Block(
      height: 60, width: 51,
      stem: Block.Stem(channels: 7, kernel: [1, 1], strides: [1, 1], pads: [1, 1, 1, 1], isSecond: true)),
    Block(height: 190, width: 170, stem: Block.Stem(channels: 8, kernel: [1, 1], pads: [0, 0, 0, 0])),
    Block(height: 300, width: 21, stem: Block.Stem(isSecond: true), hidden: 96, strides: [2, 1], hasResidual: true),
  ]

  @Test(arguments: blocks)
  func equalsItsParts(_ block: Block) throws {
    for isKnown in [true, false] {
      let builder = try block.graph(
        isKnown ? .known(block.height) : .symbol("H"), isKnown ? .known(block.width) : .symbol("W"))
      let model = try builder.model()
      #expect(model.operatorCounts["ai.dlrt::DepthwiseBlock"] == 1, "\(model.operatorCounts)")
      #expect(model.operatorCounts["ai.dlrt::ConvNHWC", default: 0] == (block.stem?.isSecond == true ? 1 : 0))
      for (batch, threads) in [(1, 1), (1, 2), (3, 4)] {
        var inputs: [Value?] = [.tensor(try numbers([batch, block.channels, block.height, block.width], 5))]
        if block.projects && block.hasResidual {
          let size = [block.output(0, block.height), block.output(1, block.width)]
          inputs.append(.tensor(try numbers([batch, 20] + size, 6)))
        }
        let expected = try Session(builder.model(optimizes: false), options: SessionOptions(threads: 1)).run(inputs)
        let got = try Session(model, options: SessionOptions(threads: threads)).run(inputs)
        #expect(try Comparison.difference(got[0], expected[0], Tolerance(relative: 1e-4, absolute: 2e-4)) == nil)
      }
    }
  }

  /// Numbers whose padded image would be larger than any memory are refused, not run into.
  @Test func hugeImagesAreRefused() throws {
    let far = 1 << 24
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), 1, .symbol("H"), .symbol("W")])
    let image = b.node(
      "Conv", [x, b.constant(try numbers([1 << 14, 1, 3, 3], 1))], ["pads": .ints([far, far, far, far])])
    b.output(
      b.node(
        "Conv", [image, b.constant(try numbers([1 << 14, 1, 1, 1], 2))],
        ["group": .int(1 << 14), "strides": .ints([far, far])]))
    let model = try b.model()
    #expect(model.operatorCounts["ai.dlrt::DepthwiseBlock"] == 1)
    let error = #expect(throws: DLRTError.self) {
      try Session(model, options: SessionOptions(threads: 2)).run([.tensor(try numbers([1, 1, 1, 1], 3))])
    }
    #expect(error?.code == .limitExceeded)
  }

  /// A value that others read, and weights that only a run knows.
  @Test func partsThatAreNeededElsewhereStay() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [1, 12, 41, 50])
    let hidden = b.node("Conv", [x, b.constant(try numbers([72, 12, 1, 1], 1))])
    let weights = b.input("w", .float32, [72, 1, 3, 3])
    let depthwise = b.node(
      "Conv", [hidden, b.node("Abs", [weights])], ["group": .int(72), "pads": .ints([1, 1, 1, 1])])
    b.output(b.node("Conv", [depthwise, b.constant(try numbers([8, 72, 1, 1], 2))]), b.node("Abs", [hidden]))
    let inputs: [Value?] = [
      .tensor(try numbers([1, 12, 41, 50], 3)), .tensor(try numbers([72, 1, 3, 3], 4)),
    ]
    let expected = try Session(b.model(optimizes: false), options: SessionOptions(threads: 1)).run(inputs)
    let got = try Session(b.model(), options: SessionOptions(threads: 2)).run(inputs)
    for (a, b) in zip(got, expected) {
      #expect(try Comparison.difference(a, b, Tolerance(relative: 1e-4, absolute: 1e-4)) == nil)
    }
  }
}

private func numbers(_ shape: [Int], _ seed: Int) throws -> Tensor {
  try Tensor((0..<shape.reduce(1, *)).map { Float(($0 * 37 + seed * 11) % 101) / 50 - 1 }, shape: shape)
}
