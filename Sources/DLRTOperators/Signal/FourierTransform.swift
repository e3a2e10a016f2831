import DLRTGraph
import Glibc

/// The discrete Fourier transform of one length, on complex numbers in double precision, not scaled.
///
/// Lengths whose prime factors are small run as a mixed-radix Stockham transform, which needs no reordering; all others
/// as Bluestein's convolution, so that no length takes more than a multiple of n log n.
struct FourierTransform: Sendable {
  typealias Complex = SIMD2<Double>

  /// Longer transforms are refused: their tables alone would not fit most machines.
  static let greatestLength = 1 << 27

  private static let greatestRadix = 13

  let length: Int
  /// Complex numbers of scratch memory that `run` needs.
  let scratch: Int
  private let radices: [Int]
  /// `exp(∓2πi k / length)`.
  private let roots: ComplexTable
  /// +1 forward, −1 inverse.
  private let direction: Double
  private let convolution: ChirpConvolution?

  init(length: Int, isInverse: Bool) throws(DLRTError) {
    guard length > 0, length <= Self.greatestLength else {
      throw DLRTError(
        .limitExceeded, "no such transform", expected: "a length of 1...\(Self.greatestLength)", got: "\(length)")
    }
    self.length = length
    direction = isInverse ? -1 : 1
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
      roots = try ComplexTable(roots: length, direction: direction)
      convolution = nil
      scratch = length
    } else {
      self.radices = []
      roots = try ComplexTable(count: 0)
      let made = try ChirpConvolution(length: length, direction: direction)
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
      default: general(radix, source, target, groups, stride)
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

  private func general(_ radix: Int, _ x: Source, _ y: Source, _ groups: Int, _ stride: Int) {
    let unit = length / radix
    for group in 0..<groups {
      for part in 0..<radix {
        let root = roots[part &* group &* stride]
        let out = y + (radix &* group &+ part) &* stride
        for index in 0..<stride {
          var sum = x[group &* stride &+ index]
          var turn = 0
          for term in 1..<radix {
            turn = turn &+ part >= radix ? turn &+ part &- radix : turn &+ part
            sum += Self.multiply(x[(group &+ term &* groups) &* stride &+ index], roots[turn &* unit])
          }
          out[index] = Self.multiply(sum, root)
        }
      }
    }
  }
}

/// Complex numbers that a plan keeps.
struct ComplexTable: Sendable {
  private let storage: TensorStorage

  init(count: Int) throws(DLRTError) {
    storage = try TensorStorage(byteCount: count &* MemoryLayout<SIMD2<Double>>.stride, zeroed: true)
  }

  /// `exp(∓2πi k / count)` for all k.
  init(roots count: Int, direction: Double) throws(DLRTError) {
    try self.init(count: count)
    for index in 0..<count {
      let angle = 2 * Double.pi * (Double(index) / Double(count))
      pointer[index] = SIMD2(cos(angle), -direction * sin(angle))
    }
  }

  var pointer: UnsafeMutablePointer<SIMD2<Double>> { storage.base.assumingMemoryBound(to: SIMD2<Double>.self) }

  @inline(__always)
  subscript(index: Int) -> SIMD2<Double> { pointer[index] }
}

/// Bluestein's algorithm: a transform of any length as a convolution with a chirp, by transforms of a power of two.
private struct ChirpConvolution: Sendable {
  typealias Complex = FourierTransform.Complex

  let scratch: Int
  private let length: Int
  /// `exp(∓πi k² / length)`.
  private let chirp: ComplexTable
  /// The transform of the conjugate chirp, scaled by the length of the inner transform.
  private let filter: ComplexTable
  private let inner: Inner

  /// Breaks the cycle between the value types.
  private final class Inner: Sendable {
    let transform: FourierTransform
    init(_ transform: FourierTransform) { self.transform = transform }
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
      let angle = Double.pi * (Double(turn) / Double(length))
      chirp.pointer[index] = Complex(cos(angle), -direction * sin(angle))
      turn = (turn + 2 * index + 1) % (2 * length)
    }
    for index in 0..<length {
      let conjugate = Complex(chirp[index].x, -chirp[index].y) / Double(padded)
      filter.pointer[index] = conjugate
      if index > 0 { filter.pointer[padded - index] = conjugate }
    }
    let temporary = try ComplexTable(count: padded)
    inner.transform.run(filter.pointer, temporary.pointer)
  }

  func run(_ data: UnsafeMutablePointer<Complex>, _ scratch: UnsafeMutablePointer<Complex>) {
    let padded = inner.transform.length
    let (values, temporary) = (scratch, scratch + padded)
    for index in 0..<length { values[index] = FourierTransform.multiply(data[index], chirp[index]) }
    for index in length..<padded { values[index] = .zero }
    inner.transform.run(values, temporary)
    // The inverse transform is the conjugate of the transform of the conjugate.
    for index in 0..<padded {
      let product = FourierTransform.multiply(values[index], filter[index])
      values[index] = Complex(product.x, -product.y)
    }
    inner.transform.run(values, temporary)
    for index in 0..<length {
      data[index] = FourierTransform.multiply(Complex(values[index].x, -values[index].y), chirp[index])
    }
  }
}
