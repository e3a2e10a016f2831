import DLRTGraph

/// Converts arrays between any two number types (bool included) with Cast's rules.
///
/// - Float to integer rounds towards zero. Out of range, int32, int64 and uint64 saturate, smaller types drop the higher
///   bits, as they do for integers; NaN becomes 0.
/// - Elements pass through a small block of float32, float64 or int64, so that n types need n loops, not n².
package struct ElementConverter: Sendable {
  package let source: DataType
  package let target: DataType
  private let rounding: FloatRounding

  private static let block = 256

  package init(from source: DataType, to target: DataType, _ rounding: FloatRounding = FloatRounding()) {
    self.source = source
    self.target = target
    self.rounding = rounding
  }

  /// `y` may be `x` when both types have one size.
  package func callAsFunction(_ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, _ count: Int) {
    if source == target {
      if x != UnsafeRawPointer(y) { y.copyMemory(from: x, byteCount: count &* source.size) }
      return
    }
    if target == .float32, FloatCodec.types.contains(source) {
      return FloatCodec.decode(source, x, y.assumingMemoryBound(to: Float.self), count)
    }
    if source == .float32, FloatCodec.types.contains(target) {
      return FloatCodec.encode(target, x.assumingMemoryBound(to: Float.self), y, count, rounding)
    }
    if convertFrequent(x, y, count) { return }
    withUnsafeTemporaryAllocation(of: Int64.self, capacity: 2 * Self.block) { memory in
      guard let integers = memory.baseAddress else { return }
      let wide = UnsafeMutableRawPointer(integers + Self.block)
      var start = 0
      while start < count {
        let length = min(Self.block, count &- start)
        convert(x + start &* source.size, y + start &* target.size, length, integers, wide)
        start = start &+ length
      }
    }
  }

  private func convert(
    _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, _ count: Int, _ integers: UnsafeMutablePointer<Int64>,
    _ wide: UnsafeMutableRawPointer
  ) {
    switch source {
    case .float32: write(x.assumingMemoryBound(to: Float.self), y, count, integers)
    case .float64: write(x.assumingMemoryBound(to: Double.self), y, count, integers)
    case _ where source.isFloat:
      let floats = wide.assumingMemoryBound(to: Float.self)
      FloatCodec.decode(source, x, floats, count)
      write(floats, y, count, integers)
    default:
      widen(x, integers, count)
      write(integers, y, count, wide.assumingMemoryBound(to: Double.self))
    }
  }

  private func write<T: RealElement>(
    _ x: UnsafePointer<T>, _ y: UnsafeMutableRawPointer, _ count: Int, _ integers: UnsafeMutablePointer<Int64>
  ) {
    switch target {
    case .float32:
      let y = y.assumingMemoryBound(to: Float.self)
      for index in 0..<count { y[index] = Float(x[index]) }
    case .float64:
      let y = y.assumingMemoryBound(to: Double.self)
      for index in 0..<count { y[index] = Double(x[index]) }
    case .bool:
      let y = y.assumingMemoryBound(to: Bool.self)
      for index in 0..<count { y[index] = x[index] != 0 }
    case _ where target.isFloat:
      if T.self == Float.self {
        FloatCodec.encode(target, UnsafeRawPointer(x).assumingMemoryBound(to: Float.self), y, count, rounding)
      } else {
        FloatCodec.encode(target, UnsafeRawPointer(x).assumingMemoryBound(to: Double.self), y, count, rounding)
      }
    default:
      truncate(x, integers, count)
      narrow(integers, y, count)
    }
  }

  private func write(
    _ x: UnsafeMutablePointer<Int64>, _ y: UnsafeMutableRawPointer, _ count: Int,
    _ doubles: UnsafeMutablePointer<Double>
  ) {
    switch target {
    case .float32:
      let y = y.assumingMemoryBound(to: Float.self)
      if source == .uint64 {
        for index in 0..<count { y[index] = Float(UInt64(bitPattern: x[index])) }
      } else {
        for index in 0..<count { y[index] = Float(x[index]) }
      }
    case _ where target.isFloat:
      let wide = target == .float64 ? y.assumingMemoryBound(to: Double.self) : doubles
      if source == .uint64 {
        for index in 0..<count { wide[index] = Double(UInt64(bitPattern: x[index])) }
      } else {
        for index in 0..<count { wide[index] = Double(x[index]) }
      }
      if target != .float64 { FloatCodec.encode(target, UnsafePointer(wide), y, count, rounding) }
    default: narrow(x, y, count)
    }
  }
}

// MARK: Integers

extension ElementConverter {
  /// Integers of the source type as int64; of uint64, the same bits.
  private func widen(_ x: UnsafeRawPointer, _ y: UnsafeMutablePointer<Int64>, _ count: Int) {
    func copy<T: FixedWidthInteger>(_ type: T.Type) {
      let x = x.assumingMemoryBound(to: type)
      for index in 0..<count { y[index] = Int64(truncatingIfNeeded: x[index]) }
    }
    switch source {
    case .int8, .int4, .int2: copy(Int8.self)
    case .int16: copy(Int16.self)
    case .int32: copy(Int32.self)
    case .uint16: copy(UInt16.self)
    case .uint32: copy(UInt32.self)
    case .int64, .uint64: copy(Int64.self)
    default: copy(UInt8.self)
    }
  }

  /// Writes the target's low bits, or whether any bit is set.
  private func narrow(_ x: UnsafePointer<Int64>, _ y: UnsafeMutableRawPointer, _ count: Int) {
    func copy<T: FixedWidthInteger>(_ type: T.Type) {
      let y = y.assumingMemoryBound(to: type)
      for index in 0..<count { y[index] = T(truncatingIfNeeded: x[index]) }
    }
    switch target {
    case .bool:
      let y = y.assumingMemoryBound(to: Bool.self)
      for index in 0..<count { y[index] = x[index] != 0 }
    case .int64, .uint64: copy(Int64.self)
    case .int32, .uint32: copy(Int32.self)
    case .int16, .uint16: copy(Int16.self)
    default:
      copy(Int8.self)
      if target.packedBits < 8 { Self.extend(target, y, count) }
    }
  }

  /// Drops the higher bits of bytes that hold a type below eight bits, and extends its sign.
  static func extend(_ type: DataType, _ bytes: UnsafeMutableRawPointer, _ count: Int) {
    let shift = UInt8(8 - type.packedBits)
    if type.isSignedInteger {
      let y = bytes.assumingMemoryBound(to: Int8.self)
      let shift = Int8(shift)
      for index in 0..<count { y[index] = (y[index] &<< shift) &>> shift }
    } else {
      let y = bytes.assumingMemoryBound(to: UInt8.self)
      for index in 0..<count { y[index] = (y[index] &<< shift) &>> shift }
    }
  }

  private func truncate<T: RealElement>(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<Int64>, _ count: Int) {
    let limit = 0x1p63
    for index in 0..<count {
      // The integers' generic conversions take 15 ns each, those from Double an instruction.
      let value = Double(x[index])
      if value.magnitude < limit {
        y[index] = Int64(value)
      } else if value.isNaN {
        y[index] = 0
      } else if value < 0 {
        y[index] = target == .uint64 ? 0 : .min
      } else if target == .uint64 {
        y[index] = value < 2 * limit ? Int64(bitPattern: UInt64(value)) : -1
      } else {
        y[index] = .max
      }
    }
    if target == .int32 {
      for index in 0..<count { y[index] = min(max(y[index], Int64(Int32.min)), Int64(Int32.max)) }
    }
  }
}

// MARK: Frequent pairs

extension ElementConverter {
  /// Pairs that models convert whole tensors between, in one pass; false for all others.
  @_optimize(speed) @inline(never)
  private func convertFrequent(_ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, _ count: Int) -> Bool {
    switch (source, target) {
    case (.uint8, .float32), (.bool, .float32):
      let (x, y) = (x.assumingMemoryBound(to: UInt8.self), y.assumingMemoryBound(to: Float.self))
      for index in 0..<count { y[index] = Float(x[index]) }
    case (.int8, .float32):
      let (x, y) = (x.assumingMemoryBound(to: Int8.self), y.assumingMemoryBound(to: Float.self))
      for index in 0..<count { y[index] = Float(x[index]) }
    case (.int32, .float32):
      let (x, y) = (x.assumingMemoryBound(to: Int32.self), y.assumingMemoryBound(to: Float.self))
      for index in 0..<count { y[index] = Float(x[index]) }
    case (.int64, .float32):
      let (x, y) = (x.assumingMemoryBound(to: Int64.self), y.assumingMemoryBound(to: Float.self))
      for index in 0..<count { y[index] = Float(x[index]) }
    case (.int32, .int64):
      let (x, y) = (x.assumingMemoryBound(to: Int32.self), y.assumingMemoryBound(to: Int64.self))
      for index in 0..<count { y[index] = Int64(x[index]) }
    case (.float32, .int32):
      let (x, y) = (x.assumingMemoryBound(to: Float.self), y.assumingMemoryBound(to: Int32.self))
      for index in 0..<count {
        let value = x[index]
        y[index] = value.magnitude < 0x1p31 ? Int32(value) : value.isNaN ? 0 : value < 0 ? .min : .max
      }
    case (.float32, .uint8), (.float32, .int8):
      let (x, y) = (x.assumingMemoryBound(to: Float.self), y.assumingMemoryBound(to: UInt8.self))
      for index in 0..<count {
        let value = x[index]
        let whole = value.magnitude < 0x1p63 ? Int64(value) : value.isNaN || value < 0 ? 0 : -1
        y[index] = UInt8(truncatingIfNeeded: whole)
      }
    default: return false
    }
    return true
  }
}
