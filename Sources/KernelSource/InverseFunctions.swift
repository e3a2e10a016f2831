import CKernelSupport

// Hyperbolic functions and the inverses of those and of the circular ones.

/// ln(1 + u) + addend, where u ≥ −1; the logarithm of the rounded sum is corrected by what rounding lost. Where
/// `isLarge`, ln u + addend.
@inline(__always) private func logarithmOfSum(_ u: VF, isLarge: VI, addend: VF) -> VF {
  let sum = u + 1
  let correction = (u - (sum - 1)) / sum
  return logarithm(dlk_select(isLarge, u, sum)) + dlk_select(isLarge, addend, correction)
}

/// arcsin r for 0 ≤ r ≤ ½, where t = r².
@inline(__always) private func smallArcSine(_ r: VF, _ t: VF) -> VF {
  let tail = polynomial(
    t,
    [
      0.16666659712791443, 0.07500503957271576, 0.04451695457100868, 0.03180772066116333, 0.014438590966165066,
      0.03751647099852562,
    ])
  return dlk_fma(r * t, tail, r)
}

/// arcsin |x| up to ½, beyond it half of arccos |x|, which is arcsin √((1 − |x|) / 2). Out of range it is NaN.
@inline(__always) private func arcSinePart(_ x: VF) -> (angle: VF, isSmall: VI) {
  let magnitude = dlk_abs(x)
  let isSmall = dlk_less_or_equal(magnitude, constant(0.5))
  let t = dlk_select(isSmall, magnitude * magnitude, dlk_fnma(constant(0.5), magnitude, constant(0.5)))
  return (smallArcSine(dlk_select(isSmall, magnitude, dlk_sqrt(t)), t), isSmall)
}

@inline(__always) func arcSine(_ x: VF) -> VF {
  let (angle, isSmall) = arcSinePart(x)
  return dlk_copysign(dlk_select(isSmall, angle, constant(1.5707963) - (angle + angle + constant(4.371139e-8))), x)
}

@inline(__always) func arcCosine(_ x: VF) -> VF {
  let (angle, isSmall) = arcSinePart(x)
  let twice = angle + angle
  // π and π/2 in two parts each.
  let behind = constant(3.1415927) - (twice + constant(8.742278e-8))
  let beyond = dlk_select(dlk_less(x, VF()), behind, twice)
  let within = constant(1.5707963) - (dlk_copysign(angle, x) + constant(4.371139e-8))
  return dlk_select(isSmall, within, beyond)
}

@inline(__always) func arcTangent(_ x: VF) -> VF {
  let magnitude = dlk_abs(x)
  let isLarge = dlk_less(constant(1), magnitude)
  let r = dlk_select(isLarge, constant(1) / magnitude, magnitude)
  let t = r * r
  let tail = polynomial(
    t,
    [
      -0.33333298563957214, 0.19998548924922943, -0.14264240860939026, 0.10952185094356537, -0.08403447270393372,
      0.057957541197538376, -0.031177794560790062, 0.010914579033851624, -0.0017936156364157796,
    ])
  let angle = dlk_fma(r * t, tail, r)
  return dlk_copysign(dlk_select(isLarge, constant(1.5707963) - (angle + constant(4.371139e-8)), angle), x)
}

/// From m = e^(|x|/2) − 1, which keeps its digits near zero: e^|x| − e^(−|x|) = m (m + 2) (1 + 1 / (m + 1)²).
@inline(__always) func hyperbolicSine(_ x: VF) -> VF {
  // Beyond the bound the result is infinite.
  let m = exponentialMinusOne(dlk_min(constant(45), dlk_abs(x) * constant(0.5)))
  let root = m + 1
  let inverse = constant(1) / root
  return dlk_copysign((m * constant(0.5)) * (m + 2) * dlk_fma(inverse, inverse, constant(1)), x)
}

@inline(__always) func hyperbolicCosine(_ x: VF) -> VF {
  let root = exponential(dlk_abs(x) * constant(0.5))
  let half = root * constant(0.5)
  return dlk_fma(half, root, constant(0.5) / (root * root))
}

/// ln(a + √(a² + 1)); from 4,096 on it is ln 2a to the last digit, and a² must not overflow.
@inline(__always) func inverseHyperbolicSine(_ x: VF) -> VF {
  let a = dlk_abs(x)
  let isLarge = dlk_less(constant(4096), a)
  let square = a * a
  let u = dlk_select(isLarge, a, a + square / (dlk_sqrt(square + 1) + 1))
  return dlk_copysign(logarithmOfSum(u, isLarge: isLarge, addend: constant(0.6931472)), x)
}

/// With t = x − 1: ln(1 + t + √(t² + 2t)).
@inline(__always) func inverseHyperbolicCosine(_ x: VF) -> VF {
  let isLarge = dlk_less(constant(4096), x)
  let t = x - 1
  let u = dlk_select(isLarge, x, t + dlk_sqrt(t * (t + 2)))
  let y = logarithmOfSum(u, isLarge: isLarge, addend: constant(0.6931472))
  return dlk_select(dlk_less(x, constant(1)), constant(.nan), y)
}

/// ½ ln((1 + a) / (1 − a)) = ½ ln(1 + 2a / (1 − a)).
@inline(__always) func inverseHyperbolicTangent(_ x: VF) -> VF {
  let a = dlk_abs(x)
  let u = (a + a) / (constant(1) - a)
  let isLarge = dlk_equal(u, constant(.infinity))
  return dlk_copysign(logarithmOfSum(u, isLarge: isLarge, addend: VF()) * constant(0.5), x)
}
