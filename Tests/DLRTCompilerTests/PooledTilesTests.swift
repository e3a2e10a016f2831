import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

/// Convolutions whose tiles give the greatest of each 2 × 2 pixels give what a pool after them gives.
@Suite struct PooledTilesTests {
  /// A convolution with the pool after it, and with what else may read its image.
  struct Block: CustomTestStringConvertible, Sendable {
    enum OtherReader: Sendable { case none, node, result, concat, pool }

    var size = [40, 30]
    var channels = 24
    var outputs = 40
    var kernel = [3, 3]
    var strides = [1, 1]
    var dilations = [1, 1]
    var pads = [1, 1, 1, 1]
    var groups = 1
    var activation: String? = "Relu"
    var adds = false
    var addsLast = false
    var pool = "MaxPool"
    var poolAttributes: [String: Attribute] = [:]
    var reader = OtherReader.none
    var type = DataType.float32
    var isKnown = true

    var testDescription: String {
      "\(size) \(channels) \(outputs) \(kernel) \(strides) \(pads) \(pool) \(poolAttributes.keys) \(reader) \(type)"
    }

    func builder() throws -> GraphBuilder {
      var b = GraphBuilder()
      let (height, width): (Dim, Dim) = isKnown ? (.known(size[0]), .known(size[1])) : (.symbol("H"), .symbol("W"))
      let x = b.input("x", .float32, [.symbol("N"), .known(channels), height, width])
      let start = b.node("Cast", [x], ["to": .int(Int(type.rawValue))])
      let weights = b.node(
        "Cast", [b.constant(try numbers([outputs, channels / groups] + kernel, 3))], ["to": .int(Int(type.rawValue))])
      let bias = b.node("Cast", [b.constant(try numbers([outputs], 4))], ["to": .int(Int(type.rawValue))])
      var image = b.node(
        "Conv", [start, weights, bias],
        [
          "pads": .ints(pads), "strides": .ints(strides), "dilations": .ints(dilations), "group": .int(groups),
        ])
      if adds {
        let other = b.node("Conv", [start, b.constant(try numbers([outputs, channels, 1, 1], 9))])
        image = b.node("Add", [image, other])
      }
      if let activation { image = b.node(activation, [image]) }
      if addsLast { image = b.node("Add", [image, start]) }
      let attributes: [String: Attribute] = ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]
      let pooled = b.node(pool, [image], attributes.merging(poolAttributes) { $1 })
      var results = [b.node("Neg", [pooled])]
      switch reader {
      case .none: break
      case .node: results.append(b.node("Abs", [image]))
      case .result: results.append(image)
      case .concat:
        let other = b.node("Conv", [start, b.constant(try numbers([16, channels, 1, 1], 8))])
        results.append(b.node("Neg", [b.node("Concat", [other, image], ["axis": .int(1)])]))
      case .pool: results.append(b.node(pool, [image], ["kernel_shape": .ints([3, 3])]))
      }
      for result in results { b.output(b.node("Cast", [result], ["to": .int(1)])) }
      return b
    }

    func expectEqualToItsParts(_ model: Model) throws {
      let tolerance =
        type == .float32 ? Tolerance(relative: 1e-4, absolute: 5e-4) : Tolerance(relative: 2e-2, absolute: 0.2)
      for (batch, threads) in [(1, 1), (1, 2), (3, 4), (5, 1)] {
        let inputs: [Value?] = [.tensor(try numbers([batch, channels] + size, 5))]
        let expected = try Session(builder().model(optimizes: false), options: SessionOptions(threads: 1)).run(inputs)
        let got = try Session(model, options: SessionOptions(threads: threads)).run(inputs)
        for (a, b) in zip(got, expected) { #expect(try Comparison.difference(a, b, tolerance) == nil) }
      }
    }
  }

  private static let joined: [Block] = [
    Block(),
    Block(size: [41, 31], activation: nil),
    Block(size: [2, 50], activation: "HardSwish"),
    Block(size: [29, 31], channels: 17, outputs: 41, activation: "Tanh"),
    Block(size: [23, 18], channels: 16, outputs: 70, pads: [0, 0, 1, 1]),
    Block(size: [200, 180], channels: 32, outputs: 32),
    Block(adds: true),
    Block(outputs: 24, addsLast: true),
    Block(size: [120, 131], outputs: 24, addsLast: true, reader: .node),
    Block(size: [140, 151], outputs: 41, activation: "Sigmoid", reader: .concat),
    Block(poolAttributes: ["auto_pad": .string("VALID")]),
    Block(reader: .node),
    Block(size: [33, 47], reader: .node),
    Block(size: [160, 150], channels: 32, outputs: 32, reader: .node),
    Block(reader: .result),
    Block(reader: .concat),
    Block(size: [39, 29], activation: "Sigmoid", reader: .concat),
    Block(reader: .pool),
    Block(type: .float16),
    Block(reader: .node, type: .bfloat16),
  ]

  @Test(arguments: joined)
  func equalsItsParts(_ block: Block) throws {
    let model = try block.builder().model()
    // Of two pools the other one is larger.
    #expect(
      model.operatorCounts["ai.dlrt::PoolNHWC", default: 0] == (block.reader == .pool ? 1 : 0),
      "\(model.operatorCounts)")
    #expect(model.operatorCounts["MaxPool"] == nil)
    try block.expectEqualToItsParts(model)
  }

  private static let apart: [Block] = [
    Block(isKnown: false),
    Block(size: [41, 30], poolAttributes: ["ceil_mode": .int(1)]),
    Block(poolAttributes: ["auto_pad": .string("SAME_UPPER")]),
    Block(pool: "AveragePool"),
    Block(poolAttributes: ["kernel_shape": .ints([3, 3])]),
    Block(poolAttributes: ["kernel_shape": .ints([2, 1]), "strides": .ints([2, 1])]),
    Block(poolAttributes: ["strides": .ints([1, 1])]),
    Block(poolAttributes: ["pads": .ints([1, 1, 1, 1])]),
    Block(poolAttributes: ["dilations": .ints([2, 2])]),
    Block(strides: [2, 2]),
    Block(dilations: [2, 2]),
    Block(kernel: [5, 5], pads: [2, 2, 2, 2]),
    Block(groups: 2),
  ]

  @Test(arguments: apart)
  func othersStayApart(_ block: Block) throws {
    let model = try block.builder().model()
    #expect(model.operatorCounts["ai.dlrt::PoolNHWC"] == 1, "\(model.operatorCounts)")
    try block.expectEqualToItsParts(model)
  }

  /// A number that is none counts as greatest.
  @Test(arguments: [nil, "Tanh"])
  func keepsNaN(activation: String?) throws {
    let block = Block(activation: activation), shape = [1, block.channels] + block.size
    var values: [Float] = try numbers(shape, 5).array()
    values[7 * 30 + 11] = .nan
    let got = try Session(block.builder().model(), options: SessionOptions(threads: 1))
      .run([.tensor(try Tensor(values, shape: shape))])
    let result: [Float] = try #require(got[0].tensor).array()
    // Windows of rows 6 to 8 and columns 10 to 12 hold the pixel: the pool's rows 3 and 4, columns 5 and 6.
    for place in [3 * 15 + 5, 3 * 15 + 6, 4 * 15 + 5, 4 * 15 + 6] { #expect(result[place].isNaN) }
    #expect(!result[19 * 15 + 14].isNaN)
  }
}

private func numbers(_ shape: [Int], _ seed: Int) throws -> Tensor {
  try Tensor((0..<shape.reduce(1, *)).map { Float(($0 * 37 + seed * 11) % 101) / 50 - 1 }, shape: shape)
}
