import CKernelSupport

// The transcendental functions on one vector. Coefficients are minimax fits (least squares reweighted until the error
// is level) rounded to single precision; those that crowd a loop out of sixteen registers are in `dlk_terms.h`.

@inline(__always) func constant(_ value: Float) -> VF { VF(repeating: value) }

/// c[0] + c[1]·x + c[2]·x² + …
@inline(__always) func polynomial<let N: Int>(_ x: VF, _ c: InlineArray<N, Float>) -> VF {
  var sum = constant(c[N &- 1])
  var i = N &- 2
  while i >= 0 {
    sum = dlk_fma(sum, x, constant(c[i]))
    i = i &- 1
  }
  return sum
}

/// c[0] + c[1]·x + … + c[5]·x⁵; each coefficient is a vector of it.
@inline(__always) func quintic(_ x: VF, _ c: Source) -> VF {
  var sum = dlk_load(c + 5 &* lanes)
  var i = 4
  while i >= 0 {
    sum = dlk_fma(sum, x, dlk_load(c + i &* lanes))
    i = i &- 1
  }
  return sum
}

/// x = n·ln 2 + r with |r| ≤ ln 2 / 2. ln 2 is split so that n times its first part is exact.
@inline(__always) private func reduceByLog2(_ x: VF) -> (n: VF, r: VF) {
  let n = dlk_round_even(x * constant(1.442695041))
  let r = dlk_fnma(n, constant(-2.12194440e-4), dlk_fnma(n, constant(0.693359375), x))
  return (n, r)
}

/// (eʳ − 1 − r) / r² for |r| ≤ ln 2 / 2.
@inline(__always) private func exponentialTail(_ r: VF) -> VF {
  polynomial(
    r, [0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368716575205326, 0.001381459878757596])
}

@inline(__always) func exponential(_ x: VF) -> VF {
  // Beyond these bounds the result is infinite or zero; within them n stays in dlk_scale's range.
  let clamped = dlk_min(constant(89), dlk_max(constant(-104), x))
  let (n, r) = reduceByLog2(clamped)
  return dlk_scale(dlk_fma(r * r, exponentialTail(r), r) + 1, n)
}

/// eˣ − 1 without cancellation near zero.
@inline(__always) func exponentialMinusOne(_ x: VF) -> VF {
  let clamped = dlk_min(constant(89), dlk_max(constant(-104), x))
  let (n, r) = reduceByLog2(clamped)
  let scale = dlk_scale(constant(1), n)
  return dlk_fma(dlk_fma(r * r, exponentialTail(r), r), scale, scale - 1)
}

@inline(__always) func logarithm(_ x: VF) -> VF {
  // Denormals are scaled up; then x = 2ⁿ·(1 + f) with √½ ≤ 1 + f < √2.
  let tiny = dlk_less(x, constant(.leastNormalMagnitude))
  let scaled = dlk_select(tiny, x * 8_388_608, x)
  let bits = dlk_bits(scaled) &- VI(repeating: 0x3f35_04f3)
  let n = dlk_to_f32(bits &>> 23) - dlk_select(tiny, constant(23), VF())
  let f = dlk_from_bits((bits & VI(repeating: 0x7f_ffff)) &+ VI(repeating: 0x3f35_04f3)) - 1
  let tail = polynomial(
    f,
    [
      0.3333331346511841, -0.25000008940696716, 0.2000211924314499, -0.1666799634695053, 0.14219552278518677,
      -0.1240558922290802, 0.11888162046670914, -0.11675652116537094, 0.06746640801429749,
    ])
  let square = f * f
  // Smallest terms first, so that f, the largest, is rounded last.
  var y = dlk_fma(n, constant(-2.12194440e-4), square * f * tail)
  y = dlk_fnma(constant(0.5), square, y) + f
  y = dlk_fma(n, constant(0.693359375), y)
  y = dlk_select(dlk_equal(x, constant(.infinity)), x, y)
  y = dlk_select(dlk_equal(x, VF()), constant(-.infinity), y)
  // Negative or NaN.
  return dlk_select(dlk_not(dlk_less_or_equal(VF(), x)), dlk_nan(x), y)
}

/// ln(1 + u) for 0 ≤ u ≤ 1: the logarithm of the rounded sum, corrected by what rounding lost.
@inline(__always) func logarithmOnePlus(_ u: VF) -> VF {
  let sum = u + 1
  return logarithm(sum) + (u - (sum - 1)) / sum
}

@inline(__always) func hyperbolicTangent(_ x: VF) -> VF {
  let clamped = dlk_min(constant(9.02), dlk_max(constant(-9.02), x))
  let t = clamped * clamped
  let p = polynomial(
    t, [1, 0.13379713892936707, 0.003494029864668846, 2.058340578514617e-05, 1.331897081513489e-08])
  let q = polynomial(
    t, [1, 0.46713030338287354, 0.02587105520069599, 0.00032830852433107793, 7.761977371956164e-07])
  return dlk_min(constant(1), dlk_max(constant(-1), clamped * p / q))
}

@inline(__always) func errorFunction(_ x: VF) -> VF {
  let clamped = dlk_min(constant(3.92), dlk_max(constant(-3.92), x))
  let t = clamped * clamped
  let p = quintic(t, dlk_erf_numerator())
  let q = quintic(t, dlk_erf_denominator())
  // From the bound on, the function is 1 to the last digit: exactly 1, so that GELU of a large negative number is 0.
  return dlk_select(
    dlk_less(dlk_abs(x), constant(3.92)), clamped * p / q, dlk_max(constant(-1), dlk_min(constant(1), x)))
}

@inline(__always) func sigmoid(_ x: VF) -> VF {
  // What is below all normal numbers is 0, as the function is where its argument is infinite.
  dlk_select(dlk_less(x, constant(-88)), VF(), logisticQuotient(constant(1), x))
}

/// y / (1 + e⁻ˣ); where x is below −88, y must be so small that the denominator may stop growing.
@inline(__always) func logisticQuotient(_ y: VF, _ x: VF) -> VF { quotient(y, dlk_max(constant(-88), x)) }

/// x / (1 + e⁻ˣ).
@inline(__always) func sigmoidLinear(_ x: VF) -> VF {
  // Further down the result is nothing.
  let limited = dlk_max(constant(-88), x)
  return quotient(limited, limited)
}

/// y / (1 + e⁻ˣ) for x ≥ −88.
@inline(__always) private func quotient(_ y: VF, _ x: VF) -> VF {
  // Beyond 87 the quotient of 1 is 1.
  let (scale, power) = factorsOfExponential(oppositeTo: dlk_min(constant(87), x))
  return y / dlk_fma(scale, power, constant(1))
}

/// eˣ for x ≤ 0, where subnormal numbers count as zero.
@inline(__always) func exponential(notAbove0 x: VF) -> VF {
  #if DL_AVX512
    // An instruction scales by any power of two.
    return exponential(x)
  #else
    let (scale, power) = factorsOfExponential(oppositeTo: dlk_min(constant(88), -x))
    return dlk_multiply(scale, power)
  #endif
}

/// Two factors of e⁻ˣ for −88 ≤ x ≤ 87; without AVX-512 up to 88, of which the first is zero then.
@inline(__always) private func factorsOfExponential(oppositeTo x: VF) -> (scale: VF, power: VF) {
  // e⁻ˣ = 2ⁿ·e⁻ʳ with r = x + n·ln 2.
  #if DL_AVX512
    // n is a multiple of 1/32: its fraction picks a power from a table, so that few terms are left. The sum's last
    // digits are n.
    let magic = constant(393_216)
    let sum = dlk_fma(x, constant(-1.442695041), magic)
    let r = dlk_fma(sum - magic, constant(0.693147181), x)
    return (dlk_power_of_32nds(dlk_bits(sum)), polynomial(r, [1, -1.0000146627, 0.5]))
  #else
    // The sum's last digits are n with an exponent's bias.
    let magic = constant(12_582_912 + 127)
    let sum = dlk_fma(x, constant(-1.442695041), magic)
    let n = sum - magic
    #if DL_AVX2
      let r = dlk_fma(n, constant(0.693147181), x)
    #else
      // Without FMA ln 2 has two parts, so that n times the first is exact.
      let r = n * constant(-2.12194440e-4) + (n * constant(0.693359375) + x)
    #endif
    return (dlk_from_bits(dlk_bits(sum) &<< 23), quintic(r, dlk_logistic_terms()))
  #endif
}

@inline(__always) func softplus(_ x: VF) -> VF {
  // The maximum's second operand is what a NaN survives in.
  dlk_max(VF(), x) + logarithmOnePlus(exponential(-dlk_abs(x)))
}

/// The sine and the cosine of what x is beyond a multiple of π/2, and that multiple. π/2 has four parts, of which the
/// first three have so few digits that multiples up to 25,000 are exact.
@inline(__always) private func sineAndCosine(_ x: VF) -> (sine: VF, cosine: VF, quadrant: VI) {
  let n = dlk_round_even(x * constant(0.636619772))
  var r = dlk_fnma(n, constant(1.5703125), x)
  r = dlk_fnma(n, constant(0x3f7p-21), r)
  r = dlk_fnma(n, constant(-0x15ep-31), r)
  r = dlk_fnma(n, constant(6.0771006e-11), r)
  let t = r * r
  let sine = dlk_fma(
    t * r, polynomial(t, [-0.1666666716337204, 0.008333331905305386, -0.00019839864398818463, 2.7224721679663902e-06]),
    r)
  let cosine = dlk_fma(
    t * t, polynomial(t, [0.0416666679084301, -0.0013888883404433727, 2.479945214872714e-05, -2.720504710396199e-07]),
    dlk_fnma(constant(0.5), t, constant(1)))
  return (sine, cosine, dlk_to_i32(n))
}

/// Whether the parts of π/2 serve for a number. A lane's result does not depend on its neighbours'.
@inline(__always) private func isNearZero(_ x: VF) -> VI { dlk_less_or_equal(dlk_abs(x), constant(25_000)) }

/// The sine of x + quarter · π/2.
@inline(__always) func sine(_ x: VF, quarter: Int32) -> VF {
  let (sine, cosine, n) = sineAndCosine(x)
  let quadrant = n &+ VI(repeating: quarter)
  let value = dlk_select(dlk_is_set(quadrant, 1), cosine, sine)
  let near = dlk_select(dlk_is_set(quadrant, 2), -value, value)
  let keep = isNearZero(x)
  return dlk_has_zero(keep) ? dlk_sine_slow(x, quarter, near, keep) : near
}

@inline(__always) func tangent(_ x: VF) -> VF {
  let (sine, cosine, quadrant) = sineAndCosine(x)
  let isOdd = dlk_is_set(quadrant, 1)
  let near = dlk_select(isOdd, -cosine, sine) / dlk_select(isOdd, sine, cosine)
  let keep = isNearZero(x)
  return dlk_has_zero(keep) ? dlk_tangent_slow(x, near, keep) : near
}
