import CKernelSupport

/// The one-dimensional transforms of Winograd's method F(outputs, 3), on vectors `stride` apart.
protocol WinogradTransform {
  /// Outputs of a tile along each side.
  static var outputs: Int { get }
  /// Inputs of a tile, and points of a transform, along each side.
  static var points: Int { get }
  /// Bᵀ·d
  static func input(_ d: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>)
  /// Aᵀ·m
  static func output(_ m: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>)
  /// G·g
  static func weight(_ g: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>)
}

/// F(2, 3) at the points 0, 1, −1, ∞.
enum WinogradF2: WinogradTransform {
  @inline(__always) static var outputs: Int { 2 }
  @inline(__always) static var points: Int { 4 }

  @inline(__always)
  static func input(_ d: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>) {
    let (d0, d1, d2, d3) = (d[0], d[stride], d[2 &* stride], d[3 &* stride])
    result[0] = d0 - d2
    result[1] = d1 + d2
    result[2] = d2 - d1
    result[3] = d3 - d1
  }

  @inline(__always)
  static func output(_ m: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>) {
    let (m0, m1, m2, m3) = (m[0], m[stride], m[2 &* stride], m[3 &* stride])
    result[0] = m0 + m1 + m2
    result[1] = m1 - m2 + m3
  }

  @inline(__always)
  static func weight(_ g: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>) {
    let (g0, g1, g2) = (g[0], g[stride], g[2 &* stride])
    let even = (g0 + g2) * constant(0.5), odd = g1 * constant(0.5)
    result[0] = g0
    result[1] = even + odd
    result[2] = even - odd
    result[3] = g2
  }
}

/// F(4, 3) at the points 0, ±√½, ±√2, ∞, whose error is a quarter of that at 0, ±1, ±2, ∞.
enum WinogradF4: WinogradTransform {
  @inline(__always) static var outputs: Int { 4 }
  @inline(__always) static var points: Int { 6 }
  @inline(__always) private static var small: Float { 0.70710678 }
  @inline(__always) private static var large: Float { 1.41421356 }

  @inline(__always)
  static func input(_ d: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>) {
    let (d0, d1, d2) = (d[0], d[stride], d[2 &* stride])
    let (d3, d4, d5) = (d[3 &* stride], d[4 &* stride], d[5 &* stride])
    let evenSmall = dlk_fnma(constant(2), d2, d4), oddSmall = dlk_fnma(constant(2), d1, d3)
    let evenLarge = dlk_fnma(constant(0.5), d2, d4), oddLarge = dlk_fnma(constant(0.5), d1, d3)
    result[0] = dlk_fnma(constant(2.5), d2, d0 + d4)
    result[1] = dlk_fma(constant(small), oddSmall, evenSmall)
    result[2] = dlk_fnma(constant(small), oddSmall, evenSmall)
    result[3] = dlk_fma(constant(large), oddLarge, evenLarge)
    result[4] = dlk_fnma(constant(large), oddLarge, evenLarge)
    result[5] = dlk_fnma(constant(2.5), d3, d1 + d5)
  }

  @inline(__always)
  static func output(_ m: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>) {
    let (m0, m1, m2) = (m[0], m[stride], m[2 &* stride])
    let (m3, m4, m5) = (m[3 &* stride], m[4 &* stride], m[5 &* stride])
    let (evenSmall, oddSmall, evenLarge, oddLarge) = (m1 + m2, m1 - m2, m3 + m4, m3 - m4)
    result[0] = m0 + evenSmall + evenLarge
    result[1] = dlk_fma(constant(small), oddSmall, constant(large) * oddLarge)
    result[2] = dlk_fma(constant(0.5), evenSmall, constant(2) * evenLarge)
    result[3] = dlk_fma(constant(small / 2), oddSmall, dlk_fma(constant(2 * large), oddLarge, m5))
  }

  @inline(__always)
  static func weight(_ g: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>) {
    let (g0, g1, g2) = (g[0], g[stride], g[2 &* stride])
    let evenSmall = (g0 + g2 * constant(0.5)) * constant(-2.0 / 3), oddSmall = g1 * constant(-2.0 / 3 * small)
    let evenLarge = (g0 + g2 * constant(2)) * constant(1.0 / 6), oddLarge = g1 * constant(large / 6)
    result[0] = g0
    result[1] = evenSmall + oddSmall
    result[2] = evenSmall - oddSmall
    result[3] = evenLarge + oddLarge
    result[4] = evenLarge - oddLarge
    result[5] = g2
  }
}

/// F(6, 3) at the points 0, ±½, ±1, ±2, ∞. Its rounding error is four to five times that of F(4, 3).
enum WinogradF6: WinogradTransform {
  @inline(__always) static var outputs: Int { 6 }
  @inline(__always) static var points: Int { 8 }

  @inline(__always)
  static func input(_ d: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>) {
    let (d0, d1, d2, d3) = (d[0], d[stride], d[2 &* stride], d[3 &* stride])
    let (d4, d5, d6, d7) = (d[4 &* stride], d[5 &* stride], d[6 &* stride], d[7 &* stride])
    result[0] = dlk_fma(constant(5.25), d4 - d2, d0 - d6)
    result[7] = dlk_fma(constant(5.25), d3 - d5, d7 - d1)
    let evenHalf = dlk_fnma(constant(5), d4, dlk_fma(constant(4), d2, d6))
    let oddHalf = dlk_fnma(constant(5), d3, dlk_fma(constant(4), d1, d5))
    result[1] = dlk_fma(constant(0.5), oddHalf, evenHalf)
    result[2] = dlk_fnma(constant(0.5), oddHalf, evenHalf)
    let evenOne = dlk_fnma(constant(4.25), d4, d2 + d6), oddOne = dlk_fnma(constant(4.25), d3, d1 + d5)
    result[3] = evenOne + oddOne
    result[4] = evenOne - oddOne
    let evenTwo = dlk_fnma(constant(1.25), d4, dlk_fma(constant(0.25), d2, d6))
    let oddTwo = dlk_fnma(constant(1.25), d3, dlk_fma(constant(0.25), d1, d5))
    result[5] = dlk_fma(constant(2), oddTwo, evenTwo)
    result[6] = dlk_fnma(constant(2), oddTwo, evenTwo)
  }

  @inline(__always)
  static func output(_ m: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>) {
    let (m0, m1, m2, m3) = (m[0], m[stride], m[2 &* stride], m[3 &* stride])
    let (m4, m5, m6, m7) = (m[4 &* stride], m[5 &* stride], m[6 &* stride], m[7 &* stride])
    let (evenHalf, evenOne, evenTwo) = (m1 + m2, m3 + m4, m5 + m6)
    result[0] = (m0 + evenOne) + (evenHalf + evenTwo)
    result[2] = dlk_fma(constant(0.25), evenHalf, dlk_fma(constant(4), evenTwo, evenOne))
    result[4] = dlk_fma(constant(0.0625), evenHalf, dlk_fma(constant(16), evenTwo, evenOne))
    let (oddHalf, oddOne, oddTwo) = (m1 - m2, m3 - m4, m5 - m6)
    result[1] = dlk_fma(constant(0.5), oddHalf, dlk_fma(constant(2), oddTwo, oddOne))
    result[3] = dlk_fma(constant(0.125), oddHalf, dlk_fma(constant(8), oddTwo, oddOne))
    result[5] = dlk_fma(constant(0.03125), oddHalf, dlk_fma(constant(32), oddTwo, oddOne + m7))
  }

  @inline(__always)
  static func weight(_ g: UnsafePointer<VF>, _ stride: Int, _ result: UnsafeMutablePointer<VF>) {
    let (g0, g1, g2) = (g[0], g[stride], g[2 &* stride])
    let evenHalf = (g0 + g2 * constant(0.25)) * constant(32.0 / 45), oddHalf = g1 * constant(16.0 / 45)
    let evenOne = (g0 + g2) * constant(-2.0 / 9), oddOne = g1 * constant(-2.0 / 9)
    let evenTwo = (g0 + g2 * constant(4)) * constant(1.0 / 90), oddTwo = g1 * constant(1.0 / 45)
    result[0] = g0
    result[1] = evenHalf + oddHalf
    result[2] = evenHalf - oddHalf
    result[3] = evenOne + oddOne
    result[4] = evenOne - oddOne
    result[5] = evenTwo + oddTwo
    result[6] = evenTwo - oddTwo
    result[7] = g2
  }
}

/// What the two-dimensional transforms keep between their passes: of the largest, a line of memory for each point.
typealias WinogradPatch = InlineArray<1024, Float>
/// What one of their one-dimensional transforms takes or makes.
typealias WinogradLine = InlineArray<8, VF>
/// Outputs of a tile.
typealias WinogradOutputs = InlineArray<36, VF>
