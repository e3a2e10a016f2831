import DLRTGraph
import DLRTTestSupport
import Testing

@Suite struct QuantizationTests {
  @Test func saturationAndTies() throws {
    let x = try Tensor([Float(0.5), 1.5, 2.5, 1e30, -1e30, .infinity, -.infinity, .nan], shape: [8])
    let y = try OperatorRun.tensor("QuantizeLinear", [x, Tensor(scalar: Float(1)), Tensor(scalar: UInt8(10))])
    #expect(try y.array() == [UInt8(10), 12, 12, 255, 0, 255, 0, 0])
  }

  @Test func axisAndBlocksAgree() throws {
    // Blocks of one, and blocks as large as the axis, are per-axis and per-row scales.
    let x = try Tensor((0..<24).map { Float($0) - 12 }, shape: [2, 4, 3])
    let scale = try Tensor([Float(0.5), 1, 2, 4], shape: [4])
    let byAxis = try OperatorRun.tensor("QuantizeLinear", [x, scale], ["axis": .int(1), "output_dtype": .int(3)])
    let repeated = try Tensor((0..<24).map { [Float(0.5), 1, 2, 4][$0 / 3 % 4] }, shape: [2, 4, 3])
    let byBlock = try OperatorRun.tensor(
      "QuantizeLinear", [x, repeated], ["axis": .int(1), "block_size": .int(1), "output_dtype": .int(3)])
    #expect(try byAxis.array(of: Int8.self) == byBlock.array(of: Int8.self))
    let back = try OperatorRun.tensor("DequantizeLinear", [byAxis, scale], ["axis": .int(-2)])
    #expect(try back.array(of: Float.self).prefix(6) == [-12, -11, -10, -9, -8, -7])
  }

  @Test func lastBlockMayBeShort() throws {
    let x = try Tensor((1...7).map { Int8($0) }, shape: [1, 7])
    let scale = try Tensor([Float(1), 10, 100], shape: [1, 3])
    let y = try OperatorRun.tensor("DequantizeLinear", [x, scale], ["axis": .int(1), "block_size": .int(3)])
    #expect(try y.array() == [Float(1), 2, 3, 40, 50, 60, 700])
  }

  @Test func wrongShapes() throws {
    let x = try Tensor(zeros: [2, 3], type: .float32)
    let cases: [([Int], [String: Attribute])] = [
      ([2], ["axis": .int(1)]), ([2, 3], [:]), ([2, 2], ["block_size": .int(2), "axis": .int(0)]),
      ([3], ["axis": .int(2)]), ([3], ["block_size": .int(-1)]), ([2, 3], ["block_size": .int(.max)]),
    ]
    for (shape, attributes) in cases {
      #expect(throws: DLRTError.self) {
        try OperatorRun.tensor("QuantizeLinear", [x, Tensor(zeros: shape, type: .float32)], attributes)
      }
    }
    #expect(throws: DLRTError.self) {
      try OperatorRun.tensor(
        "QuantizeLinear",
        [x, Tensor(scalar: Float(1)), Tensor(zeros: [3], type: .uint8)])
    }
    #expect(throws: DLRTError.self) {
      try OperatorRun.tensor(
        "QuantizeLinear", [x, Tensor(scalar: Float(1)), Tensor(scalar: UInt8(1))], ["output_dtype": .int(3)])
    }
  }

  @Test func integerInputKeepsItsDigits() throws {
    let x = try Tensor([Int32(16_777_217), -16_777_217], shape: [2])
    let y = try OperatorRun.tensor(
      "QuantizeLinear", [x, Tensor(scalar: Float(16_777_216)), Tensor(scalar: Int8(0))])
    #expect(try y.array() == [Int8(1), -1])
  }

  @Test func dynamicRangeOfZeros() throws {
    let made = try OperatorRun.tensors("DynamicQuantizeLinear", [Tensor(zeros: [4], type: .float32)], outputs: 3)
    #expect(try made[0].array() == [UInt8](repeating: 0, count: 4))
    #expect(try made[1].array() == [Float(1)])
    let empty = try OperatorRun.tensors("DynamicQuantizeLinear", [Tensor(zeros: [0], type: .float32)], outputs: 3)
    #expect(empty[0].count == 0)
  }
}
