import CKernelSupport

/// Half of a vector in double precision.
private typealias VD = dlk_vd

/// c[0] + c[1]·x + …
@inline(__always)
private func polynomial<let N: Int>(_ x: VD, _ c: InlineArray<N, Double>) -> VD {
  var sum = VD(repeating: c[N &- 1])
  var i = N &- 2
  while i >= 0 {
    sum = dlk_fma_f64(sum, x, VD(repeating: c[i]))
    i = i &- 1
  }
  return sum
}

/// 2 to the power of y · log₂(2ⁿ · m), as a number near 1 and the exponent of a power of two: the logarithm by the
/// series of the inverse hyperbolic tangent, for √½ ≤ m < √2.
@inline(__always)
private func power(_ n: VD, _ m: VD, _ y: VD) -> (fraction: VD, exponent: VD) {
  let s = (m - 1) / (m + 1)
  let series = polynomial(
    s * s,
    [
      2.885390081777927, 0.9617966939259757, 0.5770780163555854, 0.41219858311113243, 0.32059889797532525,
      0.2623081892525388, 0.22195308321368667,
    ])
  let product = y * dlk_fma_f64(s, series, n)
  // Beyond these bounds the result is infinite or zero.
  let p = dlk_min_f64(VD(repeating: 200), dlk_max_f64(VD(repeating: -200), product))
  let whole = dlk_round_f64(p)
  let fraction = polynomial(
    p - whole,
    [
      1, 0.6931471805599453, 0.24022650695910072, 0.05550410866482158, 0.009618129107628477, 0.0013333558146428443,
      0.00015403530393381608, 1.5252733804059841e-05, 1.3215486790144307e-06,
    ])
  return (fraction, whole)
}

/// x to the power of y, with the results of C's `pow` for zeros, infinities and NaN.
@inline(__always)
func power(_ x: VF, _ y: VF) -> VF {
  let magnitude = dlk_abs(x)
  // Denormals are scaled up; then |x| = 2ⁿ·m.
  let tiny = dlk_less(magnitude, constant(.leastNormalMagnitude))
  let bits = dlk_bits(dlk_select(tiny, magnitude * 8_388_608, magnitude)) &- VI(repeating: 0x3f35_04f3)
  let n = dlk_to_f32(bits &>> 23) - dlk_select(tiny, constant(23), VF())
  let m = dlk_from_bits((bits & VI(repeating: 0x7f_ffff)) &+ VI(repeating: 0x3f35_04f3))
  let low = power(dlk_low_f64(n), dlk_low_f64(m), dlk_low_f64(y))
  let high = power(dlk_high_f64(n), dlk_high_f64(m), dlk_high_f64(y))
  var result = dlk_scale(
    dlk_join_f64(low.fraction, high.fraction), dlk_join_f64(low.exponent, high.exponent))

  let infinite = constant(.infinity)
  let isZero = dlk_equal(magnitude, VF()), isInfinite = dlk_equal(magnitude, infinite)
  let grows = dlk_less(VF(), y)
  let limit = dlk_select(isInfinite, dlk_select(grows, infinite, VF()), dlk_select(grows, VF(), infinite))
  result = dlk_select(isZero | isInfinite, limit, result)
  result = dlk_select(dlk_equal(magnitude, constant(1)), constant(1), result)

  // Of a negative number only whole powers exist, and an odd one is negative.
  let isWhole = dlk_equal(dlk_round_even(y), y)
  let half = y * constant(0.5)
  let isOdd = isWhole & dlk_not(dlk_equal(dlk_floor(half), half))
  let isNegative = dlk_less(dlk_copysign(constant(1), x), VF())
  result = dlk_select(isNegative & isOdd, dlk_copysign(result, constant(-1)), result)
  let isFiniteNegative = dlk_less(x, VF()) & dlk_less(magnitude, infinite)
  result = dlk_select(isFiniteNegative & dlk_not(isWhole), constant(.nan), result)

  let isNumber = dlk_equal(x, x) & dlk_equal(y, y)
  result = dlk_select(isNumber, result, x + y)
  return dlk_select(dlk_equal(y, VF()) | dlk_equal(x, constant(1)), constant(1), result)
}

/// The remainder of x / y, of x's sign: x less the whole quotient times y. In double precision the product of a quotient
/// below 2²⁸ is exact, and so is the difference.
@inline(__always)
func remainder(_ x: VF, _ y: VF) -> VF {
  let (xLow, xHigh) = (dlk_low_f64(x), dlk_high_f64(x))
  let (yLow, yHigh) = (dlk_low_f64(y), dlk_high_f64(y))
  let (low, high) = (dlk_truncate_f64(xLow / yLow), dlk_truncate_f64(xHigh / yHigh))
  let quotient = dlk_abs(dlk_join_f64(low, high))
  let isExact = dlk_less(quotient, constant(0x1p28)) & dlk_less(dlk_abs(y), constant(.infinity))
  if dlk_has_zero(isExact) { return dlk_remainder_slow(x, y) }
  return dlk_copysign(dlk_join_f64(xLow - low * yLow, xHigh - high * yHigh), x)
}
