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
    case .float32: { floatKeys($0.assumingMemoryBound(to: UInt32.self), $1, $2, $3) }
    case .float64: { each($0, $1, $2, $3) { (bits: UInt64) in signed(bits, infinity: 0x7ff0_0000_0000_0000) } }
    case .float16:
      { each($0, $1, $2, $3) { (bits: UInt16) in signed(UInt64(bits) &<< 48, infinity: 0x7c00_0000_0000_0000) &>> 48 } }
    case .bfloat16:
      { each($0, $1, $2, $3) { (bits: UInt16) in signed(UInt64(bits) &<< 48, infinity: 0x7f80_0000_0000_0000) &>> 48 } }
    case .int8, .int4, .int2: { each($0, $1, $2, $3) { (bits: UInt8) in UInt64(bits ^ 0x80) } }
    case .int16: { each($0, $1, $2, $3) { (bits: UInt16) in UInt64(bits ^ 0x8000) } }
    case .int32: { each($0, $1, $2, $3) { (bits: UInt32) in UInt64(bits ^ 0x8000_0000) } }
    case .int64: { each($0, $1, $2, $3) { (bits: UInt64) in bits ^ 0x8000_0000_0000_0000 } }
    case .uint8, .uint4, .uint2, .bool, .float8e8m0: { each($0, $1, $2, $3) { (bits: UInt8) in UInt64(bits) } }
    case .uint16: { each($0, $1, $2, $3) { (bits: UInt16) in UInt64(bits) } }
    case .uint32: { each($0, $1, $2, $3) { (bits: UInt32) in UInt64(bits) } }
    case .uint64: { each($0, $1, $2, $3) { (bits: UInt64) in bits } }
    case .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz, .float4e2m1:
      smallFloats(type)
    default: throw type.unsupported
    }
  }

  /// Finds the next element that may come before another one in an order, by a plain comparison of the elements.
  package typealias Search =
    @Sendable (_ source: UnsafeRawPointer, _ start: Int, _ end: Int, _ other: Int) -> Int

  /// A search for greater or lesser elements; nil for types that have only keys.
  package static func search(_ type: DataType, greater: Bool) -> Search? {
    try? type.dispatch(SearchTask(greater: greater))
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
  private static func each<B: FixedWidthInteger>(
    _ source: UnsafeRawPointer, _ stride: Int, _ target: UnsafeMutablePointer<UInt64>, _ count: Int,
    _ key: (B) -> UInt64
  ) {
    let source = source.assumingMemoryBound(to: B.self)
    for index in 0..<count { target[index] = key(source[index &* stride]) }
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

private struct SearchTask: NumericTask {
  let greater: Bool

  func run<T: NumericElement>(_: T.Type) -> SortKey.Search {
    let greater = greater
    return { source, start, end, other in
      let source = source.assumingMemoryBound(to: T.self)
      return greater
        ? Self.findGreater(source, start, end, source[other]) : Self.findLess(source, start, end, source[other])
    }
  }

  // One by one: candidates are too near one another for vectors. Going on while the order holds finds NaN too.
  @_optimize(speed) @inline(never)
  private static func findGreater<T: NumericElement>(
    _ source: UnsafePointer<T>, _ start: Int, _ end: Int, _ bound: T
  ) -> Int {
    var index = start
    while index < end, source[index] <= bound { index = index &+ 1 }
    return index
  }

  @_optimize(speed) @inline(never)
  private static func findLess<T: NumericElement>(
    _ source: UnsafePointer<T>, _ start: Int, _ end: Int, _ bound: T
  ) -> Int {
    var index = start
    while index < end, source[index] >= bound { index = index &+ 1 }
    return index
  }
}

// Free, so that it stays compiled for speed: see docs/architecture.md.
/// Keys of float32, as `signed` gives them.
@_optimize(speed) @inline(never)
private func floatKeys(
  _ source: UnsafePointer<UInt32>, _ stride: Int, _ target: UnsafeMutablePointer<UInt64>, _ count: Int
) {
  for index in 0..<count {
    let bits = source[index &* stride]
    let magnitude = bits & 0x7fff_ffff
    // All bits of a negative number, the first of another.
    let inverted = UInt32(bitPattern: Int32(bitPattern: bits) &>> 31) | 0x8000_0000
    let key = magnitude == 0 ? 0x8000_0000 : bits ^ inverted
    target[index] = UInt64(magnitude > 0x7f80_0000 ? .max : key)
  }
}
