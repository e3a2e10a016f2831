import DLRTGraph

/// What a transform takes and gives.
enum SignalForm: Sendable {
  case complex
  case inverseComplex
  /// n real numbers, one after the other, to the first n / 2 + 1 bins.
  case real
  /// The first n / 2 + 1 bins to n real numbers, one after the other.
  case inverseReal

  /// Longer transforms are refused: their tables alone would not fit most machines.
  static let greatestLength = 1 << 27
}

/// The Fourier transform of one signal in the forms that DFT and STFT need. Transforms of real signals of even length
/// take half the work.
final class SignalTransform<Real: FourierReal>: Sendable {
  typealias Complex = SIMD2<Real>

  let length: Int
  private let form: SignalForm
  private let transform: FourierTransform<Real>
  /// `exp(−2πi k / length)` where two real numbers travel as one complex number.
  private let twiddles: ComplexTable<Real>?

  init(length: Int, form: SignalForm) throws(DLRTError) {
    guard length > 0, length <= SignalForm.greatestLength else {
      throw DLRTError(
        .limitExceeded, "no such transform", expected: "a length of 1...\(SignalForm.greatestLength)", got: "\(length)")
    }
    let isInverse = form == .inverseComplex || form == .inverseReal
    let isHalved = (form == .real || form == .inverseReal) && length % 2 == 0
    self.length = length
    self.form = form
    transform = try FourierTransform(length: isHalved ? length / 2 : length, isInverse: isInverse)
    twiddles = isHalved ? try ComplexTable(roots: length, direction: 1) : nil
  }

  /// Complex numbers that the signal's buffer must hold.
  var capacity: Int { length + 1 }
  /// Complex numbers of scratch memory.
  var scratch: Int { transform.scratch }
  /// Bins that `real` gives and `inverseReal` takes.
  var bins: Int { length / 2 + 1 }
  /// Rough nanoseconds of one run.
  var cost: Double { Double(length) * 4 * Double(max(1, Int.bitWidth - length.leadingZeroBitCount)) }

  /// Transforms in place; inverse forms divide by the length.
  func run(_ data: UnsafeMutablePointer<Complex>, _ scratch: UnsafeMutablePointer<Complex>) {
    switch (form, twiddles) {
    case (.complex, _): transform.run(data, scratch)
    case (.inverseComplex, _):
      transform.run(data, scratch)
      scale(data, length)
    case (.real, let twiddles?): halvedReal(data, scratch, twiddles)
    case (.inverseReal, let twiddles?): halvedInverse(data, scratch, twiddles)
    case (.real, nil):
      data.withMemoryRebound(to: Real.self, capacity: 2 * length) { reals in
        // From the end, since each complex number overwrites two reals that lie at or before its own.
        for index in (0..<length).reversed() { data[index] = Complex(reals[index], 0) }
      }
      transform.run(data, scratch)
    case (.inverseReal, nil):
      data[0].y = 0
      for index in 1..<max(bins, 1) { data[length - index] = Complex(data[index].x, -data[index].y) }
      transform.run(data, scratch)
      scale(data, length)
      data.withMemoryRebound(to: Real.self, capacity: 2 * length) { reals in
        for index in 0..<length { reals[index] = data[index].x }
      }
    }
  }

  private func scale(_ data: UnsafeMutablePointer<Complex>, _ count: Int) {
    let factor = 1 / Real(length)
    for index in 0..<count { data[index] *= factor }
  }

  private func halvedReal(
    _ data: UnsafeMutablePointer<Complex>, _ scratch: UnsafeMutablePointer<Complex>, _ twiddles: ComplexTable<Real>
  ) {
    transform.run(data, scratch)
    let half = length / 2
    data[half] = data[0]
    for low in 0...(half / 2) {
      let high = half - low
      let (a, b) = (data[low], data[high])
      data[low] = Self.unmixed(a, b, twiddles[low])
      data[high] = Self.unmixed(b, a, twiddles[high])
    }
  }

  private func halvedInverse(
    _ data: UnsafeMutablePointer<Complex>, _ scratch: UnsafeMutablePointer<Complex>, _ twiddles: ComplexTable<Real>
  ) {
    let half = length / 2
    (data[0].y, data[half].y) = (0, 0)
    for low in 0...(half / 2) {
      let high = half - low
      let (a, b) = (data[low], data[high])
      data[low] = Self.mixed(a, b, twiddles[low])
      data[high] = Self.mixed(b, a, twiddles[high])
    }
    transform.run(data, scratch)
    scale(data, half)
  }

  /// A bin of the whole signal from the bins of the signal of pairs.
  @inline(__always)
  private static func unmixed(_ a: Complex, _ b: Complex, _ twiddle: Complex) -> Complex {
    let conjugate = Complex(b.x, -b.y)
    let turned = FourierTransform<Real>.multiply(a - conjugate, twiddle)
    return ((a + conjugate) + Complex(turned.y, -turned.x)) * 0.5
  }

  /// The inverse of `unmixed`, times two.
  @inline(__always)
  private static func mixed(_ a: Complex, _ b: Complex, _ twiddle: Complex) -> Complex {
    let conjugate = Complex(b.x, -b.y)
    let turned = FourierTransform<Real>.multiply(a - conjugate, Complex(twiddle.x, -twiddle.y))
    return (a + conjugate) + Complex(-turned.y, turned.x)
  }
}

/// A loop over signals on the run's threads, with a buffer and scratch memory for each part of the loop.
struct SignalLoop<Real: FourierReal>: Sendable {
  typealias Complex = SIMD2<Real>

  private let chunks: Chunks
  private let buffer: Int
  private let scratch: Int

  init(_ signals: Int, _ transform: SignalTransform<Real>) {
    chunks = Chunks(signals, cost: transform.cost)
    buffer = transform.capacity
    scratch = transform.scratch
  }

  /// Bytes of scratch memory for all parts.
  var workspace: Int { chunks.count &* (buffer &+ scratch) &* MemoryLayout<Complex>.stride }

  /// Calls `body` with each signal's index, a buffer and scratch memory.
  @inline(__always)
  func run(
    _ io: borrowing StepIO,
    _ body: (Int, UnsafeMutablePointer<Complex>, UnsafeMutablePointer<Complex>) -> Void
  ) {
    let base = io.workspace.assumingMemoryBound(to: Complex.self)
    io.parallel(chunks) { range in
      let own = base + range.lowerBound / chunks.size &* (buffer &+ scratch)
      for signal in range { body(signal, own, own + buffer) }
    }
  }
}

extension UnsafeMutablePointer {
  /// Completes the spectrum of a real signal: the upper bins are the conjugates of the lower ones.
  @inline(__always)
  func mirrorBins<Real: FourierReal>(_ count: Int) where Pointee == SIMD2<Real> {
    for index in (count / 2 &+ 1)..<Swift.max(count, count / 2 &+ 1) {
      self[index] = SIMD2(self[count &- index].x, -self[count &- index].y)
    }
  }
}
