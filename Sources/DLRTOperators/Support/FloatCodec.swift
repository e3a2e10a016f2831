import CKernelSupport
import DLRTGraph
import DLRTKernels

/// Converts arrays between float32 or float64 and the smaller float types, with ONNX's rules of rounding and
/// saturation (Cast, QuantizeLinear).
package enum FloatCodec {
  /// Types that `decode` and `encode` know.
  package static let types: TypeSet = [
    .halfFloats, .float8s, TypeSet(.float8e8m0, .float4e2m1, .float6e2m3, .float6e3m2),
  ]

  /// Widens `count` elements; exact for every type.
  package static func decode(
    _ type: DataType, _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    switch type {
    case .float16: KernelLibrary.table.pointee.f16_to_f32(source, target, Int64(count))
    case .bfloat16: KernelLibrary.table.pointee.bf16_to_f32(source, target, Int64(count))
    default:
      let source = source.assumingMemoryBound(to: UInt8.self)
      let table = byteTable(type)
      for index in 0..<count { target[index] = table[Int(source[index])] }
    }
  }

  package static func encode(
    _ type: DataType, _ source: UnsafePointer<Float>, _ target: UnsafeMutableRawPointer, _ count: Int,
    _ rounding: FloatRounding = FloatRounding()
  ) {
    switch type {
    case .float16: KernelLibrary.table.pointee.f32_to_f16(source, target, Int64(count))
    case .bfloat16: KernelLibrary.table.pointee.f32_to_bf16(source, target, Int64(count))
    case .float8e8m0:
      let target = target.assumingMemoryBound(to: UInt8.self)
      for index in 0..<count { target[index] = powerOfTwo(source[index], rounding) }
    default:
      guard let format = FloatFormat(type) else { return }
      let target = target.assumingMemoryBound(to: UInt8.self)
      for index in 0..<count {
        target[index] = UInt8(truncatingIfNeeded: format.encode(source[index], saturates: rounding.saturates))
      }
    }
  }

  /// Narrows float64 with one rounding only.
  package static func encode(
    _ type: DataType, _ source: UnsafePointer<Double>, _ target: UnsafeMutableRawPointer, _ count: Int,
    _ rounding: FloatRounding = FloatRounding()
  ) {
    let block = 256
    withUnsafeTemporaryAllocation(of: Float.self, capacity: block) { memory in
      guard let floats = memory.baseAddress else { return }
      var start = 0
      while start < count {
        let length = min(block, count - start)
        for index in 0..<length { floats[index] = roundedToOdd(source[start + index]) }
        encode(type, floats, target + start * type.size, length, rounding)
        start += length
      }
    }
  }

  /// The nearest bfloat16's bits, ties to even.
  @inline(__always)
  package static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let rounded = (bits &+ 0x7fff &+ (bits &>> 16 & 1)) &>> 16
    let quiet = bits &>> 16 | 0x40
    return UInt16(truncatingIfNeeded: value.isNaN ? quiet : rounded)
  }

  /// A float32 that rounds to the same smaller float as the float64 does: the last bit says that something was cut off.
  private static func roundedToOdd(_ value: Double) -> Float {
    let nearest = Float(value)
    let back = Double(nearest)
    if back == value || value.isNaN { return nearest }
    let towardsZero = back.magnitude > value.magnitude ? nearest.bitPattern - 1 : nearest.bitPattern
    return Float(bitPattern: towardsZero | 1)
  }

  /// The code of a float8e8m0, which holds 2 to the power of (code − 127); 255 is NaN. Negative numbers, which have no
  /// code, and NaN become NaN.
  private static func powerOfTwo(_ value: Float, _ rounding: FloatRounding) -> UInt8 {
    let notANumber: UInt8 = 255
    let least: Float = 0x1p-127
    if value.isNaN || value < 0 { return notANumber }
    if value < least { return rounding.saturates ? 0 : notANumber }
    if value == .infinity { return rounding.saturates ? 254 : notANumber }
    let exponent = Int(value.exponent) + 127
    let fraction = value.significand
    let roundsUp =
      switch rounding.mode {
      case .up: fraction > 1
      case .down: false
      case .nearest: fraction >= 1.5
      }
    let code = exponent + (roundsUp ? 1 : 0)
    return code > 254 ? (rounding.saturates ? 254 : notANumber) : UInt8(code)
  }
}

extension FloatCodec {
  /// The values of all 256 codes of an 8-bit type; smaller ones take the low bits of the byte.
  private static func byteTable(_ type: DataType) -> UnsafePointer<Float> {
    switch type {
    case .float8e4m3fn: e4m3fn.values
    case .float8e4m3fnuz: e4m3fnuz.values
    case .float8e5m2: e5m2.values
    case .float8e5m2fnuz: e5m2fnuz.values
    case .float8e8m0: e8m0.values
    case .float6e2m3: e2m3.values
    case .float6e3m2: e3m2.values
    default: e2m1.values
    }
  }

  private struct Table: @unchecked Sendable {
    let values: UnsafePointer<Float>

    init(_ decode: (UInt32) -> Float) {
      let memory = UnsafeMutablePointer<Float>.allocate(capacity: 256)
      for code in 0..<256 { memory[code] = decode(UInt32(code)) }
      values = UnsafePointer(memory)
    }

    init(_ type: DataType) {
      let format = FloatFormat(type)
      let mask = UInt32(1 << type.packedBits) - 1
      self.init { format?.decode($0 & mask) ?? .nan }
    }
  }

  private static let e4m3fn = Table(.float8e4m3fn)
  private static let e4m3fnuz = Table(.float8e4m3fnuz)
  private static let e5m2 = Table(.float8e5m2)
  private static let e5m2fnuz = Table(.float8e5m2fnuz)
  private static let e2m1 = Table(.float4e2m1)
  private static let e2m3 = Table(.float6e2m3)
  private static let e3m2 = Table(.float6e3m2)
  private static let e8m0 = Table { $0 == 255 ? .nan : Float(bitPattern: max($0 << 23, 0x40_0000)) }
}
