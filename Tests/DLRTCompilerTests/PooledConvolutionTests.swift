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
    /// Whether another convolution comes first, so that this one finds its image with channels last.
    var isSecond = false
    /// Whether a convolution and a concatenation come after the pool.
    var goesOn = false
    var type = DataType.float32

    var testDescription: String { "\(size) \(channels) \(kernel) \(strides) \(pool) \(poolKernel) \(poolStrides)" }

    func graph(_ height: Dim, _ width: Dim) throws -> GraphBuilder {
      var b = GraphBuilder()
      var value = b.input("x", .float32, [.symbol("N"), .known(channels), height, width])
      if type != .float32 { value = b.node("Cast", [value], ["to": .int(Int(type.rawValue))]) }
      if isSecond { value = b.node("Conv", [value, try constant(&b, [channels, channels, 1, 1], 7)]) }
      value = b.node(
        "Conv", [value, try constant(&b, [outputs, channels] + kernel, 3), try constant(&b, [outputs], 4)],
        ["pads": .ints(pads), "strides": .ints(strides)])
      if let activation { value = b.node(activation, [value]) }
      let attributes: [String: Attribute] = [
        "kernel_shape": .ints(poolKernel), "strides": .ints(poolStrides), "pads": .ints(poolPads),
      ]
      value = b.node(pool, [value], attributes.merging(poolAttributes) { $1 })
      if goesOn {
        let other = b.node("Conv", [value, try constant(&b, [16, outputs, 1, 1], 8)])
        value = b.node("Concat", [other, value], ["axis": .int(1)])
      }
      value = b.node("Abs", [value])
      b.output(type == .float32 ? value : b.node("Cast", [value], ["to": .int(1)]))
      return b
    }

    private func constant(_ b: inout GraphBuilder, _ shape: [Int], _ seed: Int) throws -> ValueID {
      let value = b.constant(try numbers(shape, seed))
      return type == .float32 ? value : b.node("Cast", [value], ["to": .int(Int(type.rawValue))])
    }

    var otherConvolutions: Int { (isSecond ? 1 : 0) + (goesOn ? 1 : 0) }
    var tolerance: Tolerance {
      type == .float32 ? Tolerance(relative: 1e-4, absolute: 2e-4) : Tolerance(relative: 2e-2, absolute: 2e-2)
    }
  }

  private static let stems: [Stem] = [
    Stem(),
    Stem(size: [119, 131], kernel: [7, 7], strides: [2, 2], pads: [3, 3, 3, 3]),
    Stem(channels: 1, outputs: 60, activation: nil, poolKernel: [2, 2], poolPads: [0, 0, 0, 0]),
    Stem(channels: 8, activation: "HardSwish", poolStrides: [1, 1]),
    Stem(kernel: [1, 5], pads: [0, 2, 0, 2], poolKernel: [2, 3], poolStrides: [3, 1], poolPads: [0, 1, 1, 1]),
    Stem(size: [98, 76], poolPads: [0, 0, 0, 0], poolAttributes: ["ceil_mode": .int(1)]),
    Stem(poolStrides: [5, 3], poolPads: [0, 0, 0, 0], poolAttributes: ["dilations": .ints([3, 2])]),
    Stem(poolAttributes: ["auto_pad": .string("SAME_UPPER"), "pads": .ints([])]),
    Stem(pool: "AveragePool"),
    Stem(activation: "Sigmoid", pool: "AveragePool", poolAttributes: ["count_include_pad": .int(1)]),
    Stem(size: [3000, 9], outputs: 32, poolStrides: [2, 1]),
    Stem(size: [40, 900], outputs: 32, kernel: [5, 5], pads: [2, 2, 2, 2]),
    Stem(size: [400, 31], poolKernel: [1, 1], poolStrides: [3, 3], poolPads: [0, 0, 0, 0]),
    Stem(isSecond: true),
    Stem(goesOn: true),
    Stem(type: .float16),
  ]

  @Test(arguments: stems)
  func equalsItsParts(_ stem: Stem) throws {
    for isKnown in [true, false] {
      let builder = try stem.graph(
        isKnown ? .known(stem.size[0]) : .symbol("H"), isKnown ? .known(stem.size[1]) : .symbol("W"))
      let model = try builder.model()
      #expect(model.operatorCounts["ai.dlrt::PooledConvNHWC"] == 1, "\(model.operatorCounts)")
      #expect(model.operatorCounts["ai.dlrt::ConvNHWC", default: 0] == stem.otherConvolutions)
      for (batch, threads) in [(1, 1), (1, 2), (3, 4)] {
        let inputs: [Value?] = [.tensor(try numbers([batch, stem.channels] + stem.size, 5))]
        let expected = try Session(builder.model(optimizes: false), options: SessionOptions(threads: 1)).run(inputs)
        let got = try Session(model, options: SessionOptions(threads: threads)).run(inputs)
        #expect(try Comparison.difference(got[0], expected[0], stem.tolerance) == nil)
      }
    }
  }

  /// A window much higher than the image, which pads it; only a run knows the sizes.
  @Test func windowsMayBeHigherThanTheImage() throws {
    for (size, kernel, stride, pads) in [
      (97, 1 << 20, 1 << 20, [1 << 20 - 1, 0, 1, 0]), (200, 190, 188, [150, 0, 150, 0]),
    ] {
      var b = GraphBuilder()
      let x = b.input("x", .float32, [.symbol("N"), 1, .symbol("H"), 64])
      let image = b.node("Conv", [x, b.constant(try numbers([32, 1, 3, 3], 1))], ["pads": .ints([1, 1, 1, 1])])
      b.output(
        b.node(
          "MaxPool", [image],
          ["kernel_shape": .ints([kernel, 1]), "strides": .ints([stride, 1]), "pads": .ints(pads)]))
      let model = try b.model()
      #expect(model.operatorCounts["ai.dlrt::PooledConvNHWC"] == 1)
      let inputs: [Value?] = [.tensor(try numbers([2, 1, size, 64], 3))]
      let expected = try Session(b.model(optimizes: false), options: SessionOptions(threads: 1)).run(inputs)
      let got = try Session(model, options: SessionOptions(threads: 2)).run(inputs)
      #expect(try Comparison.difference(got[0], expected[0], Tolerance(relative: 1e-4, absolute: 1e-4)) == nil)
    }
  }

  /// A few numbers whose padded convolution would be larger than any memory are refused, not run into.
  @Test func hugeImagesAreRefused() throws {
    let far = 1 << 24
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), 1, .symbol("H"), .symbol("W")])
    let image = b.node(
      "Conv", [x, b.constant(try numbers([1 << 20, 1, 1, 1], 1))], ["pads": .ints([0, far, 0, far])])
    b.output(
      b.node("MaxPool", [image], ["kernel_shape": .ints([1, 1]), "strides": .ints([far, far])]))
    let model = try b.model()
    #expect(model.operatorCounts["ai.dlrt::PooledConvNHWC"] == 1)
    let error = #expect(throws: DLRTError.self) {
      try Session(model, options: SessionOptions(threads: 2)).run([.tensor(try numbers([1, 1, 1, 1], 3))])
    }
    #expect(error?.code == .limitExceeded)
  }

  /// An image that others read, one that is the model's, small ones, one made of many channels.
  @Test func othersStayApart() throws {
    for (channels, size, isShared, isResult) in [
      (3, 97, true, false), (3, 97, false, true), (3, 20, false, false), (12, 97, false, false),
    ] {
      var b = GraphBuilder()
      let x = b.input("x", .float32, [1, .known(channels), .known(size), .known(size)])
      let image = b.node(
        "Conv", [x, b.constant(try numbers([24, channels, 3, 3], 1))], ["pads": .ints([1, 1, 1, 1])])
      b.output(b.node("MaxPool", [image], ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]))
      if isShared { b.output(b.node("Abs", [image])) }
      if isResult { b.output(image) }
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
}

private func numbers(_ shape: [Int], _ seed: Int) throws -> Tensor {
  try Tensor((0..<shape.reduce(1, *)).map { Float(($0 * 37 + seed * 11) % 101) / 50 - 1 }, shape: shape)
}
