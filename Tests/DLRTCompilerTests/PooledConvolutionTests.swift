import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

/// Convolutions that are run together with the pool after them give what the two give one after the other.
@Suite struct PooledConvolutionTests {
  /// A convolution with what may be between it and the pool.
  struct Stem: CustomTestStringConvertible, Sendable {
    var size = [97, 75]
    var channels = 3
    var outputs = 72
    var kernel = [3, 3]
    var strides = [1, 1]
    var pads = [1, 1, 1, 1]
    var activation: String? = "Relu"
    var pool = "MaxPool"
    var poolKernel = [3, 3]
    var poolStrides = [2, 2]
    var poolPads = [1, 1, 1, 1]
    var poolAttributes: [String: Attribute] = [:]
    /// Whether the image is turned for its pixels to be read one by one before the convolution.
    var followsPool = false

    var testDescription: String { "\(size) \(channels) \(kernel) \(strides) \(pool) \(poolKernel) \(poolStrides)" }

    func graph(_ height: Dim, _ width: Dim) throws -> GraphBuilder {
      var b = GraphBuilder()
      var value = b.input("x", .float32, [.symbol("N"), .known(channels), height, width])
      if followsPool { value = b.node("AveragePool", [value], ["kernel_shape": .ints([1, 2])]) }
      value = b.node(
        "Conv",
        [value, b.constant(try numbers([outputs, channels] + kernel, 3)), b.constant(try numbers([outputs], 4))],
        ["pads": .ints(pads), "strides": .ints(strides)])
      if let activation { value = b.node(activation, [value]) }
      let attributes: [String: Attribute] = [
        "kernel_shape": .ints(poolKernel), "strides": .ints(poolStrides), "pads": .ints(poolPads),
      ]
      value = b.node(pool, [value], attributes.merging(poolAttributes) { $1 })
      b.output(b.node("Abs", [value]))
      return b
    }
  }

  private static let stems: [Stem] = [
    Stem(),
    Stem(size: [119, 131], kernel: [7, 7], strides: [2, 2], pads: [3, 3, 3, 3]),
    Stem(channels: 1, outputs: 60, activation: nil, poolKernel: [2, 2], poolPads: [0, 0, 0, 0]),
    Stem(channels: 8, activation: "HardSwish", poolStrides: [1, 1]),
    Stem(kernel: [1, 5], pads: [0, 2, 0, 2], poolKernel: [2, 3], poolStrides: [3, 1], poolPads: [0, 1, 1, 1]),
    Stem(poolPads: [0, 0, 0, 0], poolAttributes: ["ceil_mode": .int(1)]),
    Stem(poolPads: [0, 0, 0, 0], poolAttributes: ["dilations": .ints([3, 2])]),
    Stem(poolAttributes: ["auto_pad": .string("SAME_UPPER"), "pads": .ints([])]),
    Stem(pool: "AveragePool"),
    Stem(activation: "Sigmoid", pool: "AveragePool", poolAttributes: ["count_include_pad": .int(1)]),
    Stem(size: [3000, 9], outputs: 32, poolStrides: [2, 1]),
    Stem(size: [9, 3000], outputs: 32, kernel: [5, 5], pads: [2, 2, 2, 2]),
    Stem(poolKernel: [97, 1], poolStrides: [1, 1], poolPads: [0, 0, 0, 0]),
    Stem(followsPool: true),
  ]

  @Test(arguments: stems)
  func equalsItsParts(_ stem: Stem) throws {
    for isKnown in [true, false] {
      let builder = try stem.graph(
        isKnown ? .known(stem.size[0]) : .symbol("H"), isKnown ? .known(stem.size[1]) : .symbol("W"))
      let model = try builder.model()
      #expect(model.operatorCounts["ai.dlrt::PooledConvNHWC"] == 1, "\(model.operatorCounts)")
      #expect(model.operatorCounts["ai.dlrt::ConvNHWC"] == nil)
      for (batch, threads) in [(1, 1), (1, 2), (3, 4)] {
        let inputs: [Value?] = [.tensor(try numbers([batch, stem.channels] + stem.size, 5))]
        let expected = try Session(builder.model(optimizes: false), options: SessionOptions(threads: 1)).run(inputs)
        let got = try Session(model, options: SessionOptions(threads: threads)).run(inputs)
        #expect(try Comparison.difference(got[0], expected[0], Tolerance(relative: 1e-4, absolute: 2e-4)) == nil)
      }
    }
  }

  /// An image that others read, one that is small, and one with many channels.
  @Test func othersStayApart() throws {
    for (channels, size, isShared) in [(3, 97, true), (3, 20, false), (12, 97, false)] {
      var b = GraphBuilder()
      let x = b.input("x", .float32, [1, .known(channels), .known(size), .known(size)])
      let image = b.node(
        "Conv", [x, b.constant(try numbers([24, channels, 3, 3], 1))], ["pads": .ints([1, 1, 1, 1])])
      b.output(b.node("MaxPool", [image], ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]))
      if isShared { b.output(b.node("Abs", [image])) }
      let model = try b.model()
      #expect(model.operatorCounts["ai.dlrt::PooledConvNHWC"] == nil)
      let inputs: [Value?] = [.tensor(try numbers([1, channels, size, size], 3))]
      let expected = try Session(b.model(optimizes: false), options: SessionOptions(threads: 1)).run(inputs)
      let got = try Session(model, options: SessionOptions(threads: 2)).run(inputs)
      for (a, b) in zip(got, expected) {
        #expect(try Comparison.difference(a, b, Tolerance(relative: 1e-4, absolute: 1e-4)) == nil)
      }
    }
  }

  /// Weights that only a run knows.
  @Test func weightsMayBeComputed() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [1, 3, 90, 90])
    let weights = b.node("Abs", [b.input("w", .float32, [40, 3, 3, 3])])
    b.output(b.node("MaxPool", [b.node("Conv", [x, weights])], ["kernel_shape": .ints([3, 3])]))
    let model = try b.model()
    #expect(model.operatorCounts["ai.dlrt::PooledConvNHWC"] == 1)
    let inputs: [Value?] = [.tensor(try numbers([1, 3, 90, 90], 3)), .tensor(try numbers([40, 3, 3, 3], 4))]
    let expected = try Session(b.model(optimizes: false), options: SessionOptions(threads: 1)).run(inputs)
    let got = try Session(model, options: SessionOptions(threads: 2)).run(inputs)
    #expect(try Comparison.difference(got[0], expected[0], Tolerance(relative: 1e-4, absolute: 1e-4)) == nil)
  }
}

private func numbers(_ shape: [Int], _ seed: Int) throws -> Tensor {
  try Tensor((0..<shape.reduce(1, *)).map { Float(($0 * 37 + seed * 11) % 101) / 50 - 1 }, shape: shape)
}
