import DLRTGraph

/// Tells zeros from other elements by their bits: those that matter are all zero. Covers the zeros of both signs and,
/// for strings, the empty one.
package struct ZeroTest: Sendable {
  /// Writes 1 for every element that is not zero, 0 for the others; returns how many are not.
  package typealias Loop = @Sendable (UnsafeRawPointer, UnsafeMutablePointer<UInt8>, Int) -> Int

  package static func loop(_ type: DataType) -> Loop {
    switch type {
    case .float16, .bfloat16: test(UInt16(0x7fff))
    case .float32: test(UInt32(0x7fff_ffff))
    case .float64: test(UInt64.max >> 1)
    case .complex64: test(UInt64(0x7fff_ffff_7fff_ffff))
    case .complex128: pairs(UInt64.max >> 1, UInt64.max >> 1)
    // A string reference is an address and a length.
    case .string: pairs(0, .max)
    case .float8e4m3fn, .float8e5m2: test(UInt8(0x7f))
    case .float4e2m1: test(UInt8(0x07))
    // Holds powers of two only.
    case .float8e8m0:
      { _, flags, count in
        flags.update(repeating: 1, count: count)
        return count
      }
    default:
      switch type.size {
      case 1: test(UInt8.max)
      case 2: test(UInt16.max)
      case 4: test(UInt32.max)
      default: test(UInt64.max)
      }
    }
  }

  private static func test<T: FixedWidthInteger & Sendable>(_ mask: T) -> Loop {
    { source, flags, count in
      let source = source.assumingMemoryBound(to: T.self)
      var found = 0
      for index in 0..<count {
        let flag: UInt8 = source[index] & mask == 0 ? 0 : 1
        flags[index] = flag
        found = found &+ Int(flag)
      }
      return found
    }
  }

  private static func pairs(_ low: UInt64, _ high: UInt64) -> Loop {
    { source, flags, count in
      let source = source.assumingMemoryBound(to: UInt64.self)
      var found = 0
      for index in 0..<count {
        let flag: UInt8 = source[2 &* index] & low | source[2 &* index &+ 1] & high == 0 ? 0 : 1
        flags[index] = flag
        found = found &+ Int(flag)
      }
      return found
    }
  }
}
