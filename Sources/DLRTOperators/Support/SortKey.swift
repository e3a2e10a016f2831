import DLRTGraph

/// Maps elements to unsigned integers of the same order, so that one sort serves every type.
///
/// Zeros of both signs are equal, every NaN is the greatest number, and equal NaNs are equal: a total order.
package enum SortKey {
  package typealias Loop = @Sendable (UnsafeRawPointer, _ stride: Int, UnsafeMutablePointer<UInt64>, Int) -> Void

  /// Types that have keys.
  package static let types: TypeSet = [.numeric, .bool, .subByteIntegers, .float8s, TypeSet(.float8e8m0, .float4e2m1)]

  /// A loop that writes the keys of `count` elements, `stride` elements apart.
  package static func loop(_ type: DataType) throws -> Loop {
    switch type {
    case .float32: keys { (bits: UInt32) in signed(UInt64(bits) &<< 32, infinity: 0x7f80_0000_0000_0000) &>> 32 }
    case .float64: keys { (bits: UInt64) in signed(bits, infinity: 0x7ff0_0000_0000_0000) }
    case .float16: keys { (bits: UInt16) in signed(UInt64(bits) &<< 48, infinity: 0x7c00_0000_0000_0000) &>> 48 }
    case .bfloat16: keys { (bits: UInt16) in signed(UInt64(bits) &<< 48, infinity: 0x7f80_0000_0000_0000) &>> 48 }
    case .int8, .int4, .int2: keys { (bits: UInt8) in UInt64(bits ^ 0x80) }
    case .int16: keys { (bits: UInt16) in UInt64(bits ^ 0x8000) }
    case .int32: keys { (bits: UInt32) in UInt64(bits ^ 0x8000_0000) }
    case .int64: keys { (bits: UInt64) in bits ^ 0x8000_0000_0000_0000 }
    case .uint8, .uint4, .uint2, .bool, .float8e8m0: keys { (bits: UInt8) in UInt64(bits) }
    case .uint16: keys { (bits: UInt16) in UInt64(bits) }
    case .uint32: keys { (bits: UInt32) in UInt64(bits) }
    case .uint64: keys { (bits: UInt64) in bits }
    case .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz, .float4e2m1:
      smallFloats(type)
    default: throw type.unsupported
    }
  }

  /// The key of an IEEE number whose bits stand at the top of a word.
  @inline(__always)
  private static func signed(_ bits: UInt64, infinity: UInt64) -> UInt64 {
    let sign: UInt64 = 0x8000_0000_0000_0000
    let magnitude = bits & ~sign
    if magnitude > infinity { return .max }
    if magnitude == 0 { return sign }
    // The bits of a negative number are inverted; those of a positive one follow all negative ones.
    return bits & sign != 0 ? ~bits : bits | sign
  }

  @inline(__always)
  private static func keys<B: FixedWidthInteger & Sendable>(_ key: @escaping @Sendable (B) -> UInt64) -> Loop {
    { source, stride, target, count in
      let source = source.assumingMemoryBound(to: B.self)
      for index in 0..<count { target[index] = key(source[index &* stride]) }
    }
  }

  private static func smallFloats(_ type: DataType) -> Loop {
    { source, stride, target, count in
      var value: Float = 0
      for index in 0..<count {
        FloatCodec.decode(type, source + index &* stride, &value, 1)
        target[index] = signed(UInt64(value.bitPattern) &<< 32, infinity: 0x7f80_0000_0000_0000) &>> 32
      }
    }
  }
}
