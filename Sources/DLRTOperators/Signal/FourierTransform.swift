import DLRTGraph
import Glibc

/// A number type that Fourier transforms are computed in.
typealias FourierReal = BinaryFloatingPoint & SIMDScalar & Sendable

/// The discrete Fourier transform of one length on complex numbers, not scaled.
///
/// Lengths whose prime factors are small run as a mixed-radix Stockham transform, which needs no reordering; all others
/// as Bluestein's convolution, so that no length takes more than a multiple of n log n.
final class FourierTransform<Real: FourierReal>: Sendable {
  typealias Complex = SIMD2<Real>

  let length: Int
  /// Complex numbers of scratch memory that `run` needs.
  let scratch: Int
  private let radices: [Int]
  /// `exp(∓2πi k / length)`.
  private let roots: ComplexTable<Real>
  /// +1 forward, −1 inverse.
  private let direction: Real
  private let convolution: ChirpConvolution<Real>?

  init(length: Int, isInverse: Bool) throws(DLRTError) {
    let sign = isInverse ? -1.0 : 1.0
    self.length = length
    direction = Real(sign)
    var radices: [Int] = []
    var rest = length
    for radix in [4, 2, 3, 5, 7, 11, 13] {
      while rest % radix == 0 {
        radices.append(radix)
        rest /= radix
      }
    }
    if rest == 1 {
      self.radices = radices
      roots = try ComplexTable(roots: length, direction: sign)
      convolution = nil
      scratch = length
    } else {
      self.radices = []
      roots = try ComplexTable(count: 0)
      let made = try ChirpConvolution<Real>(length: length, direction: sign)
      convolution = made
      scratch = made.scratch
    }
  }

  /// Transforms in place.
  func run(_ data: UnsafeMutablePointer<Complex>, _ scratch: UnsafeMutablePointer<Complex>) {
    if let convolution {
      convolution.run(data, scratch)
      return
    }
    var (source, target) = (data, scratch)
    var (remaining, stride) = (length, 1)
    for radix in radices {
      let groups = remaining / radix
      switch radix {
      case 2: radix2(source, target, groups, stride)
      case 4: radix4(source, target, groups, stride)
      default: odd(radix, source, target, groups, stride)
      }
      (source, target) = (target, source)
      (remaining, stride) = (groups, stride * radix)
    }
    if source != data { memcpy(data, source, length &* MemoryLayout<Complex>.stride) }
  }

  @inline(__always)
  static func multiply(_ a: Complex, _ b: Complex) -> Complex {
    Complex(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x)
  }
}

// MARK: Stages

extension FourierTransform {
  private typealias Source = UnsafeMutablePointer<Complex>

  private func radix2(_ x: Source, _ y: Source, _ groups: Int, _ stride: Int) {
    for group in 0..<groups {
      let root = roots[group &* stride]
      let (a, b) = (x + group &* stride, x + (group &+ groups) &* stride)
      let out = y + 2 &* group &* stride
      for index in 0..<stride {
        out[index] = a[index] + b[index]
        out[index &+ stride] = Self.multiply(a[index] - b[index], root)
      }
    }
  }

  private func radix4(_ x: Source, _ y: Source, _ groups: Int, _ stride: Int) {
    for group in 0..<groups {
      let (root1, root2, root3) = (roots[group &* stride], roots[2 &* group &* stride], roots[3 &* group &* stride])
      let (a, b) = (x + group &* stride, x + (group &+ groups) &* stride)
      let (c, d) = (x + (group &+ 2 &* groups) &* stride, x + (group &+ 3 &* groups) &* stride)
      let out = y + 4 &* group &* stride
      for index in 0..<stride {
        let (even, odd) = (a[index] + c[index], b[index] + d[index])
        let (first, second) = (a[index] - c[index], b[index] - d[index])
        let turned = Complex(second.y, -second.x) * direction
        out[index] = even + odd
        out[index &+ stride] = Self.multiply(first + turned, root1)
        out[index &+ 2 &* stride] = Self.multiply(even - odd, root2)
        out[index &+ 3 &* stride] = Self.multiply(first - turned, root3)
      }
    }
  }

  /// Any odd radix: the inputs are taken in pairs, whose sums meet cosines and whose differences meet sines.
  private func odd(_ radix: Int, _ x: Source, _ y: Source, _ groups: Int, _ stride: Int) {
    let (unit, half) = (length / radix, radix / 2)
    for group in 0..<groups {
      let first = x + group &* stride
      let out = y + radix &* group &* stride
      for index in 0..<stride {
        var total = first[index]
        for part in 1...half {
          let (low, high) = pair(first, part, radix, groups, stride, index)
          total += low + high
        }
        out[index] = total
        for part in 1...half {
          var (even, odd) = (first[index], Complex.zero)
          var turn = 0
          for term in 1...half {
            turn = turn &+ part >= radix ? turn &+ part &- radix : turn &+ part
            let root = roots[turn &* unit]
            let (low, high) = pair(first, term, radix, groups, stride, index)
            even += (low + high) * root.x
            odd += (low - high) * root.y
          }
          let turned = Complex(-odd.y, odd.x)
          out[index &+ part &* stride] = Self.multiply(even + turned, roots[part &* group &* stride])
          out[index &+ (radix &- part) &* stride] = Self.multiply(
            even - turned, roots[(radix &- part) &* group &* stride])
        }
      }
    }
  }

  @inline(__always)
  private func pair(
    _ first: Source, _ term: Int, _ radix: Int, _ groups: Int, _ stride: Int, _ index: Int
  ) -> (low: Complex, high: Complex) {
    let step = groups &* stride
    return (first[term &* step &+ index], first[(radix &- term) &* step &+ index])
  }
}

/// Complex numbers that a plan keeps.
struct ComplexTable<Real: FourierReal>: Sendable {
  private let storage: TensorStorage

  init(count: Int) throws(DLRTError) {
    storage = try TensorStorage(byteCount: count &* MemoryLayout<SIMD2<Real>>.stride, zeroed: true)
  }

  /// `exp(∓2πi k / count)` for all k.
  init(roots count: Int, direction: Double) throws(DLRTError) {
    try self.init(count: count)
    for index in 0..<count { pointer[index] = Self.root(index, of: count, direction) }
  }

  /// `exp(∓2πi index / count)`, exact at the axes.
  static func root(_ index: Int, of count: Int, _ direction: Double) -> SIMD2<Real> {
    let (quarter, rest) = (4 * index / count, 4 * index % count)
    let angle = Double.pi / 2 * (Double(rest) / Double(count))
    let (x, y) = (cos(angle), sin(angle))
    let (real, imaginary) =
      switch quarter {
      case 0: (x, y)
      case 1: (-y, x)
      case 2: (-x, -y)
      default: (y, -x)
      }
    return SIMD2(Real(real), Real(-direction * imaginary))
  }

  var pointer: UnsafeMutablePointer<SIMD2<Real>> { storage.base.assumingMemoryBound(to: SIMD2<Real>.self) }

  @inline(__always)
  subscript(index: Int) -> SIMD2<Real> { pointer[index] }
}

/// Bluestein's algorithm: a transform of any length as a convolution with a chirp, by transforms of a power of two.
private struct ChirpConvolution<Real: FourierReal>: Sendable {
  typealias Complex = SIMD2<Real>

  let scratch: Int
  private let length: Int
  /// `exp(∓πi k² / length)`.
  private let chirp: ComplexTable<Real>
  /// The transform of the conjugate chirp, scaled by the length of the inner transform.
  private let filter: ComplexTable<Real>
  private let inner: Inner

  /// Breaks the cycle between the value types.
  private final class Inner: Sendable {
    let transform: FourierTransform<Real>
    init(_ transform: FourierTransform<Real>) { self.transform = transform }
  }

  init(length: Int, direction: Double) throws(DLRTError) {
    self.length = length
    var padded = 1
    while padded < 2 * length - 1 { padded *= 2 }
    inner = Inner(try FourierTransform(length: padded, isInverse: false))
    scratch = 2 * padded
    chirp = try ComplexTable(count: length)
    filter = try ComplexTable(count: padded)
    var turn = 0
    for index in 0..<length {
      // k² modulo 2n, step by step, keeps the angle exact.
      chirp.pointer[index] = ComplexTable.root(turn, of: 2 * length, direction)
      turn = (turn + 2 * index + 1) % (2 * length)
    }
    for index in 0..<length {
      let conjugate = Complex(chirp[index].x, -chirp[index].y) / Real(padded)
      filter.pointer[index] = conjugate
      if index > 0 { filter.pointer[padded - index] = conjugate }
    }
    let temporary = try ComplexTable<Real>(count: padded)
    inner.transform.run(filter.pointer, temporary.pointer)
  }

  func run(_ data: UnsafeMutablePointer<Complex>, _ scratch: UnsafeMutablePointer<Complex>) {
    let padded = inner.transform.length
    let (values, temporary) = (scratch, scratch + padded)
    for index in 0..<length { values[index] = FourierTransform<Real>.multiply(data[index], chirp[index]) }
    for index in length..<padded { values[index] = .zero }
    inner.transform.run(values, temporary)
    // The inverse transform is the conjugate of the transform of the conjugate.
    for index in 0..<padded {
      let product = FourierTransform<Real>.multiply(values[index], filter[index])
      values[index] = Complex(product.x, -product.y)
    }
    inner.transform.run(values, temporary)
    for index in 0..<length {
      data[index] = FourierTransform<Real>.multiply(Complex(values[index].x, -values[index].y), chirp[index])
    }
  }
}
