import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

/// Networks between DequantizeLinear and QuantizeLinear are done on bytes. Scales are powers of two, so that floats give
/// the same numbers.
@Suite struct RecognizeQuantizationTests {
  private struct Network {
    var b = GraphBuilder()

    mutating func quantize(_ x: ValueID, _ scale: Float, _ zero: UInt8 = 0) throws -> ValueID {
      b.node("QuantizeLinear", [x, b.constant(try Tensor(scalar: scale)), b.constant(try Tensor(scalar: zero))])
    }

    mutating func dequantize(_ x: ValueID, _ scale: Float, _ zero: UInt8 = 0) throws -> ValueID {
      b.node("DequantizeLinear", [x, b.constant(try Tensor(scalar: scale)), b.constant(try Tensor(scalar: zero))])
    }

    /// Through bytes and back.
    mutating func pass(_ x: ValueID, _ scale: Float, _ zero: UInt8 = 0) throws -> ValueID {
      try dequantize(try quantize(x, scale, zero), scale, zero)
    }

    mutating func weights(_ shape: [Int], _ scale: Float) throws -> ValueID {
      let bytes = try Tensor((0..<shape.reduce(1, *)).map { Int8($0 * 37 % 255 - 127) }, shape: shape)
      return b.node("DequantizeLinear", [b.constant(bytes), b.constant(try Tensor(scalar: scale))])
    }

    mutating func conv(_ x: ValueID, _ shape: [Int], xScale: Float, group: Int = 1) throws -> ValueID {
      let sums = try Tensor((0..<shape[0]).map { Int32($0 * 100 - 300) }, shape: [shape[0]])
      let bias = b.node("DequantizeLinear", [b.constant(sums), b.constant(try Tensor(scalar: xScale / 64))])
      return b.node(
        "Conv", [x, try weights(shape, 1 / 64), bias], ["pads": .ints([1, 1, 1, 1]), "group": .int(group)])
    }
  }

  private func check(_ network: Network, _ counts: [String: Int], within distance: Double = 0) throws {
    let model = try network.b.model()
    for (name, count) in counts {
      #expect(model.operatorCounts[name, default: 0] == count, "\(name) \(model.operatorCounts)")
    }
    let numbers: [Float] = (0..<720).map { index in
      let step = Float(index * 53 % 97)
      return step / 16 - 2
    }
    let x = try Tensor(numbers, shape: [1, 8, 9, 10])
    let expected = try Session(network.b.model(optimizes: false), options: SessionOptions(threads: 1)).run([.tensor(x)])
    let got = try Session(model, options: SessionOptions(threads: 2)).run([.tensor(x)])
    for (a, b) in zip(got, expected) {
      #expect(try Comparison.difference(a, b, Tolerance(relative: 0, absolute: distance)) == nil)
    }
  }

  @Test func block() throws {
    var n = Network()
    let x = try n.pass(n.b.input("x", .float32, [1, 8, 9, 10]), 1 / 32, 64)
    let first = try n.pass(n.b.node("Relu", [try n.conv(x, [8, 8, 3, 3], xScale: 1 / 32)]), 1)
    let second = try n.pass(try n.conv(first, [8, 1, 3, 3], xScale: 1, group: 8), 4, 128)
    let sum = try n.pass(n.b.node("Add", [first, second]), 4, 100)
    let pooled = try n.pass(n.b.node("MaxPool", [sum], ["kernel_shape": .ints([2, 2])]), 4, 100)
    n.b.output(pooled)
    try check(
      n,
      [
        "ai.dlrt::QLinearConvNHWC": 2, "com.microsoft::QLinearAdd": 1, "ai.dlrt::PoolNHWC": 1, "QuantizeLinear": 1,
        "DequantizeLinear": 1, "Relu": 0,
      ])
  }

  @Test(arguments: [false, true])
  func products(transposes: Bool) throws {
    var n = Network()
    let x = try n.pass(n.b.input("x", .float32, [1, 8, 9, 10]), 1 / 32, 64)
    let first = try n.pass(n.b.node("MatMul", [x, try n.weights([10, 6], 1 / 64)]), 1 / 16, 100)
    let rows = try n.pass(n.b.node("Flatten", [first], ["axis": .int(3)]), 1 / 16, 100)
    let sums = try Tensor((0..<5).map { Int32($0 * 100 - 300) }, shape: [5])
    let bias = n.b.node("DequantizeLinear", [n.b.constant(sums), n.b.constant(try Tensor(scalar: Float(1) / 1024))])
    let weights = try n.weights(transposes ? [5, 6] : [6, 5], 1 / 64)
    let second = n.b.node("Gemm", [rows, weights, bias], ["transB": .int(transposes ? 1 : 0)])
    n.b.output(try n.pass(n.b.node("Relu", [second]), 1 / 8))
    try check(n, ["ai.dlrt::QLinearProduct": 2, "Gemm": 0, "QuantizeLinear": 1, "DequantizeLinear": 1])
  }

  @Test func concat() throws {
    var n = Network()
    let x = try n.pass(n.b.input("x", .float32, [1, 8, 9, 10]), 1 / 32, 64)
    let first = try n.pass(try n.conv(x, [8, 8, 3, 3], xScale: 1 / 32), 1, 100)
    let second = try n.pass(try n.conv(x, [4, 8, 3, 3], xScale: 1 / 32), 2, 90)
    let both = try n.pass(n.b.node("Concat", [first, second, x], ["axis": .int(1)]), 2, 90)
    n.b.output(try n.pass(try n.conv(both, [4, 20, 3, 3], xScale: 2), 128, 128))
    // Two parts are quantised again.
    try check(n, ["ai.dlrt::QLinearConvNHWC": 3, "Concat": 1, "QuantizeLinear": 3, "DequantizeLinear": 3])
  }

  /// QuantizeLinear whose type is an attribute, and parts of which one is not of bytes.
  @Test func concatWithoutZeroPoints() throws {
    var n = Network()
    let x = n.b.input("x", .float32, [1, 8, 9, 10])
    func signed(_ x: ValueID, _ scale: Float, _ b: inout GraphBuilder) throws -> ValueID {
      b.node(
        "QuantizeLinear", [x, b.constant(try Tensor(scalar: scale))],
        ["output_dtype": .int(Int(DataType.int8.rawValue))])
    }
    let scales: [Float] = [1 / 32, 1 / 64]
    let parts = try scales.map { scale in
      n.b.node("DequantizeLinear", [try signed(x, scale, &n.b), n.b.constant(try Tensor(scalar: scale))])
    }
    n.b.output(try signed(n.b.node("Concat", parts, ["axis": .int(1)]), 1 / 64, &n.b))
    n.b.output(try n.pass(n.b.node("Concat", [parts[0], x], ["axis": .int(1)]), 1 / 32))
    try check(n, ["Concat": 2])
  }

  /// An activation that saturation does not do, and sums that others read.
  @Test func otherwise() throws {
    var n = Network()
    let x = try n.pass(n.b.input("x", .float32, [1, 8, 9, 10]), 1 / 32, 64)
    let sums = n.b.node("Relu", [try n.conv(x, [8, 8, 3, 3], xScale: 1 / 32)])
    n.b.output(try n.pass(sums, 1, 10))
    let others = try n.conv(x, [4, 8, 3, 3], xScale: 1 / 32)
    n.b.output(others)
    n.b.output(try n.pass(others, 1))
    // Floats are rounded, which may move a byte by one.
    try check(n, ["QLinearConv": 0, "ai.dlrt::QLinearConvNHWC": 0], within: 1)
  }
}
