import DLRTGraph
import Glibc

/// One element's bytes, whatever its type, to write many times.
package struct ElementFill: Sendable {
  private let value: Bytes16
  private let size: Int
  /// The byte that all bytes of the element are, if so.
  private let byte: UInt8?

  /// All bits zero: 0, false, the empty string.
  package init(zeroOf type: DataType) {
    value = Bytes16(low: 0, high: 0)
    size = type.size
    byte = 0
  }

  /// The number 1, or true.
  package init(oneOf type: DataType) throws(DLRTError) {
    var value = Bytes16(low: 1, high: 0)
    switch type {
    case .float64: value.low = 1.0.bitPattern
    case .float32: value.low = UInt64(Float(1).bitPattern)
    case _ where FloatCodec.types.contains(type):
      FloatCodec.encode(type, [Float(1)], &value.low, 1)
    case _ where type.isInteger || type == .bool: break
    default: throw type.unsupported
    }
    self.init(type, at: &value)
  }

  package init(_ type: DataType, at element: UnsafeRawPointer) {
    var value = Bytes16(low: 0, high: 0)
    let size = type.size
    byte = withUnsafeMutableBytes(of: &value) { bytes -> UInt8? in
      if let start = bytes.baseAddress { memcpy(start, element, size) }
      return bytes.prefix(size).allSatisfy { $0 == bytes[0] } ? bytes[0] : nil
    }
    self.value = value
    self.size = size
  }

  package func write(to target: UnsafeMutableRawPointer, count: Int) {
    guard count > 0 else { return }
    if let byte, count &* size > 64 || size == 1 {
      memset(target, Int32(byte), count &* size)
      return
    }
    switch size {
    case 2: fill(target, UInt16(truncatingIfNeeded: value.low), count)
    case 4: fill(target, UInt32(truncatingIfNeeded: value.low), count)
    case 8: fill(target, value.low, count)
    default: fill(target, value, count)
    }
  }

  @inline(__always)
  private func fill<T: BitwiseCopyable>(_ target: UnsafeMutableRawPointer, _ value: T, _ count: Int) {
    target.assumingMemoryBound(to: T.self).update(repeating: value, count: count)
  }

  /// Writes in parallel when there is much to write.
  package func write(to target: UnsafeMutableRawPointer, count: Int, _ io: borrowing StepIO) {
    io.parallel(Chunks(count, cost: Double(size) * 0.06, multiple: 64)) { range in
      write(to: target + range.lowerBound &* size, count: range.count)
    }
  }
}
