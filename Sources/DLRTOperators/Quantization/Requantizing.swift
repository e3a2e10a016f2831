import CKernelSupport
import DLRTGraph

/// Bytes from exact sums: out[i] = saturate(round(sums[i] · (a[i] · b[i] / y)) + zero).
struct Requantizing: Sendable {
  private let quantize: QuantizeLoop

  /// - Parameter type: int8 or uint8.
  init(_ type: DataType, _ kernels: KernelSet) { quantize = kernels.quantizing(type) }

  /// Factors of sums, or one for all where the step is 0.
  struct Scale {
    let values: UnsafePointer<Float>
    let step: Int

    func from(_ index: Int) -> Scale { Scale(values: values + index &* step, step: step) }
  }

  /// - Parameter zero: one element of the result's type.
  func run(
    _ sums: UnsafePointer<Float>, _ a: Scale, _ b: Scale, _ y: Float, zero: UnsafeRawPointer,
    _ out: UnsafeMutableRawPointer, _ count: Int
  ) {
    let block = 256
    var one: Float = 1
    withUnsafeTemporaryAllocation(of: Float.self, capacity: block) { memory in
      guard let values = memory.baseAddress else { return }
      for start in stride(from: 0, to: count, by: block) {
        let length = min(block, count &- start)
        multiplySums(
          sums + start, a.values + start &* a.step, a.step, b.values + start &* b.step, b.step, y, values, length)
        quantize(values, &one, zero, 0, out + start, length)
      }
    }
  }
}

// Free, so that it stays compiled for speed: see docs/architecture.md.
@_optimize(speed) @inline(never)
private func multiplySums(
  _ sums: UnsafePointer<Float>, _ a: UnsafePointer<Float>, _ aStep: Int, _ b: UnsafePointer<Float>, _ bStep: Int,
  _ y: Float,
  _ values: UnsafeMutablePointer<Float>, _ count: Int
) {
  if aStep == 0, bStep == 0 {
    let scale = a[0] * b[0] / y
    for index in 0..<count { values[index] = sums[index] * scale }
  } else {
    for index in 0..<count {
      let scale = a[index &* aStep] * b[index &* bStep] / y
      values[index] = sums[index] * scale
    }
  }
}
