import CKernelSupport
import Testing

@Suite struct QuantizationKernelTests {
  /// The formula, one element at a time.
  private func reference(_ x: Float, _ scale: Float, _ zero: Int, _ range: ClosedRange<Int>) -> Int {
    let rounded = (x / scale).rounded(.toNearestOrEven)
    if rounded.isNaN { return range.lowerBound }
    return Int(min(max(rounded + Float(zero), Float(range.lowerBound)), Float(range.upperBound)))
  }

  @Test(arguments: [true, false], [0, 1, 3, 4, 15, 16, 17, 33, 100])
  func bytesAndFloats(isSigned: Bool, count: Int) {
    var random = SeededGenerator(count)
    let range = isSigned ? -128...127 : 0...255
    let special: [Float] = [.nan, .infinity, -.infinity, 1e30, -1e30, 0.5, 1.5, 2.5, -0.5, 0]
    let x = Guarded<Float>(count) { $0 < special.count ? special[$0] : random.float() * 300 }
    let scale = Guarded<Float>(max(count, 1)) { $0 == 0 ? 1 : abs(random.float()) + 0.25 }
    let zero = Guarded<UInt8>(max(count, 1)) { _ in UInt8(truncatingIfNeeded: random.int(range)) }
    forEachTable { kernels, isa in
      for stride in [0, 1] {
        for hasZero in [true, false] {
          let y = Guarded<UInt8>(count) { _ in 0 }
          let back = Guarded<Float>(count) { _ in 0 }
          let zeros = hasZero ? UnsafeRawPointer(zero.base) : nil
          var arguments = dlk_quantize_args(
            count: Int64(count), x: x.base, scale: scale.base, zero: zeros, scale_stride: Int64(stride),
            is_signed: isSigned ? 1 : 0, y: y.base)
          kernels.pointee.quantize(&arguments)
          var inverse = dlk_dequantize_args(
            count: Int64(count), x: y.base, scale: scale.base, zero: zeros, scale_stride: Int64(stride),
            is_signed: isSigned ? 1 : 0, y: back.base)
          kernels.pointee.dequantize(&inverse)
          for index in 0..<count {
            let place = index * stride
            func number(_ byte: UInt8) -> Int { isSigned ? Int(Int8(bitPattern: byte)) : Int(byte) }
            let shift = hasZero ? number(zero.base[place]) : 0
            let got = number(y.base[index])
            #expect(got == reference(x.base[index], scale.base[place], shift, range), "\(isa) \(x.base[index])")
            #expect(back.base[index] == Float(got - shift) * scale.base[place], "\(isa)")
          }
        }
      }
    }
  }
}
