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
    var projects = true
    var hidden = 72
    var kernel = [3, 3]
    var strides = [1, 1]
    var dilations = [1, 1]
    var pads = [1, 1, 1, 1]
    var activation = "Relu"
    var hasResidual = false
    var isResidualActivated = false

    var testDescription: String { "\(kernel) \(strides) \(pads) \(activation) \(expands) \(projects) \(hidden)" }

    func graph(_ height: Dim, _ width: Dim) throws -> GraphBuilder {
      var b = GraphBuilder()
      let x = b.input("x", .float32, [.symbol("N"), .known(channels), height, width])
      var value = b.node("Abs", [x])
      if expands { value = b.node(activation, [try conv(&b, value, 12, hidden)]) }
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

    var channels: Int { expands ? 12 : hidden }

    func output(_ axis: Int, _ size: Int) -> Int {
      (size + pads[axis] + pads[axis + 2] - (kernel[axis] - 1) * dilations[axis] - 1) / strides[axis] + 1
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
  ]

  @Test(arguments: blocks)
  func equalsItsParts(_ block: Block) throws {
    for isKnown in [true, false] {
      let builder = try block.graph(
        isKnown ? .known(block.height) : .symbol("H"), isKnown ? .known(block.width) : .symbol("W"))
      let model = try builder.model()
      #expect(model.operatorCounts["ai.dlrt::DepthwiseBlock"] == 1, "\(model.operatorCounts)")
      #expect(model.operatorCounts["ai.dlrt::ConvNHWC"] == nil)
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
