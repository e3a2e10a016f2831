import Glibc

/// float32 or float64 with the functions of mathematics, so that a formula is written once for both.
package protocol RealElement: NumericElement, BinaryFloatingPoint, SIMDScalar {
  static func exp(_ x: Self) -> Self
  static func expm1(_ x: Self) -> Self
  static func log(_ x: Self) -> Self
  static func log1p(_ x: Self) -> Self
  static func pow(_ x: Self, _ y: Self) -> Self
  static func sin(_ x: Self) -> Self
  static func cos(_ x: Self) -> Self
  static func tan(_ x: Self) -> Self
  static func asin(_ x: Self) -> Self
  static func acos(_ x: Self) -> Self
  static func atan(_ x: Self) -> Self
  static func sinh(_ x: Self) -> Self
  static func cosh(_ x: Self) -> Self
  static func tanh(_ x: Self) -> Self
  static func asinh(_ x: Self) -> Self
  static func acosh(_ x: Self) -> Self
  static func atanh(_ x: Self) -> Self
  static func erf(_ x: Self) -> Self
  static func fmod(_ x: Self, _ y: Self) -> Self
  /// An integer that fits Int, rounded towards zero: the integers' generic conversions take 15 ns each.
  static func truncated(_ x: Self) -> Int
  /// The integer nearest to a number of magnitude at most 2²⁰, halves to even. Written so that loops vectorise.
  static func nearestInteger(_ x: Self) -> Int32
}

extension RealElement {
  package static func sigmoid(_ x: Self) -> Self { 1 / (1 + exp(-x)) }

  /// ln(1 + eˣ) without overflow.
  package static func softplus(_ x: Self) -> Self { x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)) }
}

extension Float: RealElement {
  package static func exp(_ x: Float) -> Float { expf(x) }
  package static func expm1(_ x: Float) -> Float { expm1f(x) }
  package static func log(_ x: Float) -> Float { logf(x) }
  package static func log1p(_ x: Float) -> Float { log1pf(x) }
  package static func pow(_ x: Float, _ y: Float) -> Float { powf(x, y) }
  package static func sin(_ x: Float) -> Float { sinf(x) }
  package static func cos(_ x: Float) -> Float { cosf(x) }
  package static func tan(_ x: Float) -> Float { tanf(x) }
  package static func asin(_ x: Float) -> Float { asinf(x) }
  package static func acos(_ x: Float) -> Float { acosf(x) }
  package static func atan(_ x: Float) -> Float { atanf(x) }
  package static func sinh(_ x: Float) -> Float { sinhf(x) }
  package static func cosh(_ x: Float) -> Float { coshf(x) }
  package static func tanh(_ x: Float) -> Float { tanhf(x) }
  package static func asinh(_ x: Float) -> Float { asinhf(x) }
  package static func acosh(_ x: Float) -> Float { acoshf(x) }
  package static func atanh(_ x: Float) -> Float { atanhf(x) }
  package static func erf(_ x: Float) -> Float { erff(x) }
  package static func fmod(_ x: Float, _ y: Float) -> Float { fmodf(x, y) }
  @inline(__always) package static func truncated(_ x: Float) -> Int { Int(x) }
  // In sums with 1.5 · 2²³ (or 2⁵²), one unit is the last bit.
  @inline(__always)
  package static func nearestInteger(_ x: Float) -> Int32 {
    Int32(bitPattern: (x + 0x1.8p23).bitPattern) &- Int32(bitPattern: Float(0x1.8p23).bitPattern)
  }
}

extension Double: RealElement {
  package static func exp(_ x: Double) -> Double { Glibc.exp(x) }
  package static func expm1(_ x: Double) -> Double { Glibc.expm1(x) }
  package static func log(_ x: Double) -> Double { Glibc.log(x) }
  package static func log1p(_ x: Double) -> Double { Glibc.log1p(x) }
  package static func pow(_ x: Double, _ y: Double) -> Double { Glibc.pow(x, y) }
  package static func sin(_ x: Double) -> Double { Glibc.sin(x) }
  package static func cos(_ x: Double) -> Double { Glibc.cos(x) }
  package static func tan(_ x: Double) -> Double { Glibc.tan(x) }
  package static func asin(_ x: Double) -> Double { Glibc.asin(x) }
  package static func acos(_ x: Double) -> Double { Glibc.acos(x) }
  package static func atan(_ x: Double) -> Double { Glibc.atan(x) }
  package static func sinh(_ x: Double) -> Double { Glibc.sinh(x) }
  package static func cosh(_ x: Double) -> Double { Glibc.cosh(x) }
  package static func tanh(_ x: Double) -> Double { Glibc.tanh(x) }
  package static func asinh(_ x: Double) -> Double { Glibc.asinh(x) }
  package static func acosh(_ x: Double) -> Double { Glibc.acosh(x) }
  package static func atanh(_ x: Double) -> Double { Glibc.atanh(x) }
  package static func erf(_ x: Double) -> Double { Glibc.erf(x) }
  package static func fmod(_ x: Double, _ y: Double) -> Double { Glibc.fmod(x, y) }
  @inline(__always) package static func truncated(_ x: Double) -> Int { Int(x) }
  @inline(__always)
  package static func nearestInteger(_ x: Double) -> Int32 {
    Int32(truncatingIfNeeded: (x + 0x1.8p52).bitPattern)
  }
}
