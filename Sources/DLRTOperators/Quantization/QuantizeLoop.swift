import CKernelSupport
import DLRTGraph

/// Quantises `count` elements of `x`; scale and zero point advance by `stride`.
typealias QuantizeLoop =
  @Sendable (
    _ x: UnsafeRawPointer, _ scale: UnsafeRawPointer, _ zero: UnsafeRawPointer?, _ stride: Int,
    _ out: UnsafeMutableRawPointer, _ count: Int
  ) -> Void

extension KernelSet {
  /// The loop of the table for float32 and bytes.
  func quantizing(_ type: DataType) -> QuantizeLoop {
    let run = table.pointee.quantize
    let isSigned: Int32 = type == .int8 ? 1 : 0
    return { x, scale, zero, stride, out, count in
      var arguments = dlk_quantize_args(
        count: Int64(count), x: x.assumingMemoryBound(to: Float.self), scale: scale.assumingMemoryBound(to: Float.self),
        zero: zero, scale_stride: Int64(stride), is_signed: isSigned, y: out)
      run(&arguments)
    }
  }
}

/// Chooses the loop that turns float32 or float64 into a quantised type, by scales of the same type.
struct Quantizing: FloatTask {
  let type: DataType
  let rounding: FloatRounding

  func run<T: RealElement>(_ real: T.Type) throws -> QuantizeLoop {
    guard let range = type.quantizedRange else { return floats(real) }
    return switch (type.size, type.isSignedInteger) {
    case (1, true): integers(real, Int8.self, range)
    case (1, false): integers(real, UInt8.self, range)
    case (_, true): integers(real, Int16.self, range)
    case (_, false): integers(real, UInt16.self, range)
    }
  }

  private func integers<T: RealElement, Out: FixedWidthInteger>(
    _ real: T.Type, _ out: Out.Type, _ range: ClosedRange<Int32>
  ) -> QuantizeLoop {
    let (least, greatest) = (range.lowerBound, range.upperBound)
    return { x, scale, zero, stride, out, count in
      let x = x.assumingMemoryBound(to: T.self)
      let scale = scale.assumingMemoryBound(to: T.self)
      let zero = zero?.assumingMemoryBound(to: Out.self)
      let out = out.assumingMemoryBound(to: Out.self)
      // Beyond this every sum with a zero point saturates; NaN becomes the least value.
      let limit: T = 1_048_576
      @inline(__always) func put(_ index: Int, _ scale: T, _ zero: Int32) {
        let ratio = x[index] / scale
        let raised = ratio > -limit ? ratio : -limit
        let sum = T.nearestInteger(raised < limit ? raised : limit) &+ zero
        out[index] = Out(truncatingIfNeeded: min(max(sum, least), greatest))
      }
      if stride == 0 {
        let (scale, zero) = (scale.pointee, zero.map { Int32(truncatingIfNeeded: $0.pointee) } ?? 0)
        for index in 0..<count { put(index, scale, zero) }
      } else if let zero {
        for index in 0..<count { put(index, scale[index], Int32(truncatingIfNeeded: zero[index])) }
      } else {
        for index in 0..<count { put(index, scale[index], 0) }
      }
    }
  }

  private func floats<T: RealElement>(_ real: T.Type) -> QuantizeLoop {
    let (type, rounding) = (type, rounding)
    let block = 128
    return { x, scale, zero, stride, out, count in
      let x = x.assumingMemoryBound(to: T.self)
      let scale = scale.assumingMemoryBound(to: T.self)
      withUnsafeTemporaryAllocation(of: Double.self, capacity: block) { memory in
        guard let quotients = memory.baseAddress else { return }
        var start = 0
        while start < count {
          let length = min(block, count - start)
          for index in 0..<length {
            let place = (start + index) * stride
            let offset = zero.map { Double(element: $0 + place, type) } ?? 0
            quotients[index] = (x[start + index] / scale[place]).double + offset
          }
          FloatCodec.encode(type, UnsafePointer(quotients), out + start * type.size, length, rounding)
          start += length
        }
      }
    }
  }
}
