import DLRTGraph
import DLRTOperators
import DLRTTestSupport
import Testing

@Suite struct CastTests {
  private func cast(_ tensor: Tensor, _ type: DataType, _ more: [String: Attribute] = [:]) throws -> Tensor {
    try OperatorRun.tensor("Cast", [tensor], more.merging(["to": .int(Int(type.rawValue))]) { old, _ in old })
  }

  @Test func floatsOutsideIntegers() throws {
    let x = try Tensor([Float.nan, .infinity, -.infinity, 3e9, -3e9, 2.9, -2.9], shape: [7])
    #expect(try cast(x, .int32).array() == [Int32(0), .max, .min, .max, .min, 2, -2])
    #expect(try cast(x, .int64).array() == [Int64(0), .max, .min, 3_000_000_000, -3_000_000_000, 2, -2])
    #expect(try cast(x, .uint64).array(of: UInt64.self).prefix(4) == [0, .max, 0, 3_000_000_000])
    #expect(try cast(Tensor([Float(300), -1], shape: [2]), .uint8).array() == [UInt8(44), 255])
    #expect(try cast(x, .bool).array() == [Bool](repeating: true, count: 7))
  }

  @Test func everyPairOfTypes() throws {
    let small: [Float] = [0, 1, 1, 0, 1]
    let start = try Tensor(small, shape: [5])
    for first in DataType.allCases where !first.isComplex {
      let made = try cast(start, first)
      #expect(made.type == first)
      // The words for bools are no numbers.
      for second in DataType.allCases where !second.isComplex && !(first == .bool && second == .string) {
        let back = try cast(cast(made, second), .float32).array(of: Float.self)
        // float8e8m0 has no zero, and what is least in it is not zero in others.
        let isExact = first != .float8e8m0 && second != .float8e8m0
        #expect(!isExact || back == small, "\(first) to \(second)")
      }
    }
  }

  @Test(arguments: [
    DataType.float16, .bfloat16, .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz, .float4e2m1, .float6e2m3,
    .float6e3m2,
  ])
  func smallFloatsRoundTrip(_ type: DataType) throws {
    let codes = 0..<(1 << type.packedBits)
    let format = try #require(FloatFormat(type))
    for code in codes {
      let value = format.decode(UInt32(code))
      let again = format.encode(value, saturates: false)
      #expect(value.isNaN ? format.decode(again).isNaN : again == UInt32(code), "\(type) \(code)")
      var decoded: Float = 0
      withUnsafeBytes(of: UInt16(code)) { FloatCodec.decode(type, $0.baseAddress!, &decoded, 1) }
      #expect(decoded == value || decoded.isNaN && value.isNaN)
    }
  }

  @Test func ties() throws {
    let format = try #require(FloatFormat(.float8e4m3fn))
    // 1.0625 lies between 1 and 1.125, 1.1875 between 1.125 and 1.25: the even mantissa wins.
    #expect(format.decode(format.encode(1.0625, saturates: true)) == 1)
    #expect(format.decode(format.encode(1.1875, saturates: true)) == 1.25)
    #expect(format.decode(format.encode(0x1p-10, saturates: true)) == 0)
    #expect(format.decode(format.encode(0x1.8p-9, saturates: true)) == 0x1p-8)
    #expect(format.decode(format.encode(464, saturates: true)) == 448)
    #expect(format.decode(format.encode(1e9, saturates: true)) == 448)
    #expect(format.decode(format.encode(1e9, saturates: false)).isNaN)
  }

  @Test func float64RoundsOnce() throws {
    // Just above the middle of two float16: by way of float32 it would become the tie and fall to the even side.
    let x = try Tensor([1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-11], shape: [2])
    #expect(try cast(x, .float16).array() == [Float16(1 + 0x1p-10), 1])
  }

  @Test func roundModes() throws {
    let x = try Tensor([Float(1.25), 1.5, 3, 0, .infinity], shape: [5])
    func codes(_ mode: String, _ saturate: Int) throws -> [Float] {
      let made = try cast(x, .float8e8m0, ["round_mode": .string(mode), "saturate": .int(saturate)])
      return try cast(made, .float32).array()
    }
    #expect(try codes("up", 1) == [2, 2, 4, 0x1p-127, 0x1p127])
    #expect(try codes("down", 1) == [1, 1, 2, 0x1p-127, 0x1p127])
    let nearest = try codes("nearest", 0)
    #expect(nearest.prefix(3) == [1, 2, 4] && nearest[3].isNaN && nearest[4].isNaN)
    #expect(throws: DLRTError.self) { try codes("sideways", 1) }
  }

  @Test func textOfNumbers() throws {
    let floats = try Tensor([1, -2.5, 1e15, 1e16, 1e-5, 16_777_216, .nan, .infinity, -.infinity, 0.1], shape: [10])
    #expect(
      try cast(floats, .string).strings() == [
        "1.0", "-2.5", "1000000000000000.0", "1e+16", "1e-05", "16777216.0", "NaN", "INF", "-INF", "0.1",
      ])
    #expect(try cast(Tensor([Float(0.1), 123_456_789], shape: [2]), .string).strings() == ["0.1", "123456790.0"])
    #expect(try cast(Tensor([Int64.min], shape: [1]), .string).strings() == ["-9223372036854775808"])
    #expect(try cast(Tensor([UInt64.max], shape: [1]), .string).strings() == ["18446744073709551615"])
  }

  @Test func numbersFromText() throws {
    let text = try Tensor([" 12 ", "+INF", "-inf", "1e-3"], shape: [4])
    #expect(try cast(text, .float32).array() == [Float(12), .infinity, -.infinity, 1e-3])
    #expect(try cast(Tensor(["9223372036854775807", "2.75"], shape: [2]), .int64).array() == [Int64.max, 2])
    #expect(try cast(Tensor(["18446744073709551615"], shape: [1]), .uint64).array() == [UInt64.max])
    for wrong in ["", "Hello World!", "1,5", "--1"] {
      #expect(throws: DLRTError.self) { try cast(Tensor([wrong], shape: [1]), .float32) }
      #expect(throws: DLRTError.self) { try cast(Tensor([wrong], shape: [1]), .int32) }
    }
  }

  @Test func bitCastOfUnequalWidths() throws {
    let x = try Tensor([Float(1)], shape: [1])
    #expect(try OperatorRun.tensor("BitCast", [x], ["to": .int(6)]).array() == [Int32(0x3f80_0000)])
    #expect(throws: DLRTError.self) { try OperatorRun.tensor("BitCast", [x], ["to": .int(7)]) }
    #expect(throws: DLRTError.self) { try OperatorRun.tensor("BitCast", [x]) }
    let nibble = try cast(Tensor([Float(-1), 7], shape: [2]), .int4)
    #expect(try OperatorRun.tensor("BitCast", [nibble], ["to": .int(21)]).integers == [15, 7])
  }
}
