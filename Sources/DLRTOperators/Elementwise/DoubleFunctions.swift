/// Functions of float64 whose loops vectorise: no jumps, no calls, and errors of a unit or two in the last place.
/// Polynomials are sums of even and odd powers, two chains half as long as one. All are free functions, so that they stay
/// compiled for speed: see docs/architecture.md.

/// y[i] = √x[i].
@_optimize(speed) @inline(never)
func squareRoots(_ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>, _ count: Int) {
  for index in 0..<count {
    // The compiler calls the C library for what may be negative.
    let value = x[index]
    let root = (value > 0 ? value : 1).squareRoot()
    y[index] = value > 0 ? root : value == 0 ? value : .nan
  }
}

/// y[i] = tanh(x[i]).
@_optimize(speed) @inline(never)
func hyperbolicTangents(_ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>, _ count: Int) {
  for index in 0..<count {
    let value = x[index]
    let magnitude = value.magnitude
    // (e²ᵃ − 1) / (e²ᵃ + 1), which is 1 from here on.
    let power = Exponential(2 * (magnitude < 20 ? magnitude : 20))
    let lessOne = power.scale * power.rest + (power.scale - 1)
    let result = (lessOne / (lessOne + 2)).withSign(of: value)
    y[index] = value == value ? result : value
  }
}

/// y[i] = erf(x[i]): below 1 a polynomial in x², above 1 − e^(−x²) times one in (x − 2.5) / (x + 2.5). Both are
/// Chebyshev fits with a relative error below 4e−17.
func errorFunctions(_ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>, _ count: Int) {
  let block = 512
  for start in stride(from: 0, to: count, by: block) {
    let length = min(block, count &- start)
    errorsNear(x + start, y + start, length)
    errorsFar(x + start, y + start, length)
  }
}

// One function would choose by a jump between what each half computes.

@_optimize(speed) @inline(never)
private func errorsNear(_ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>, _ count: Int) {
  for index in 0..<count {
    let value = x[index]
    let square = value * value
    let squared = square * square
    var nearEven = 1.3720064546777686e-08
    nearEven = nearEven * squared + 1.6447424703317362e-06
    nearEven = nearEven * squared + 0.00012055294904839707
    nearEven = nearEven * squared + 0.0052239776071164225
    nearEven = nearEven * squared + 0.11283791670945006
    nearEven = nearEven * squared + 1.1283791670955126
    var nearOdd = -7.795898827002142e-10
    nearOdd = nearOdd * squared - 1.6208483801871705e-07
    nearOdd = nearOdd * squared - 1.492473690741966e-05
    nearOdd = nearOdd * squared - 0.0008548325975389692
    nearOdd = nearOdd * squared - 0.02686617064323777
    nearOdd = nearOdd * squared - 0.37612638903183543
    let near = nearEven + nearOdd * square
    y[index] = value * near
  }
}

/// Replaces what is not near.
@_optimize(speed) @inline(never)
private func errorsFar(_ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>, _ count: Int) {
  for index in 0..<count {
    let (value, near) = (x[index], y[index])
    let magnitude = value.magnitude
    // From 6 on, the result is 1.
    let bounded = magnitude < 6 ? magnitude : 6
    let beyond = bounded > 1 ? bounded : 1
    let place = (beyond - 2.5) / (beyond + 2.5)
    let squared = place * place
    var farEven = -1.587633893127344e-06
    farEven = farEven * squared + 7.499735050763299e-06
    farEven = farEven * squared - 3.4175718896856294e-05
    farEven = farEven * squared + 0.0002283799633257643
    farEven = farEven * squared - 0.0026423659518134547
    farEven = farEven * squared + 0.03992253907546523
    farEven = farEven * squared + 0.2517131932174488
    farEven = farEven * squared + 0.2108063640611436
    var farOdd = -2.2328516517555215e-06
    farOdd = farOdd * squared + 1.8596747731144528e-05
    farOdd = farOdd * squared - 0.00012887483134837842
    farOdd = farOdd * squared + 0.0008759152875774328
    farOdd = farOdd * squared - 0.003993701160123029
    farOdd = farOdd * squared - 0.12503305237891782
    farOdd = farOdd * squared - 0.37173673394897294
    let far = farEven + farOdd * place
    let power = Exponential(-beyond * beyond)
    let complement = (power.scale * power.rest + power.scale) * far
    let result = (1 - complement).withSign(of: value)
    y[index] = magnitude >= 1 ? result : near
  }
}

/// eˣ = scale · (1 + rest) for |x| up to 700.
private struct Exponential {
  /// A power of two.
  let scale: Double
  let rest: Double

  @inline(__always)
  init(_ x: Double) {
    // In sums with 1.5 · 2⁵², one unit is the last bit.
    let rounded = x * 0x1.71547652b82fep0 + 0x1.8p52
    let whole = rounded - 0x1.8p52
    scale = Double(bitPattern: (rounded.bitPattern &+ 1023) &<< 52)
    // ln 2 in two parts, the first of which has zeros to spare.
    let r = (x - whole * 0x1.62e42feep-1) - whole * 0x1.a39ef35793c76p-33
    // Taylor's series; |r| is at most 0.35.
    let squared = r * r
    var sumEven = 1.0 / 479_001_600
    sumEven = sumEven * squared + 1.0 / 3_628_800
    sumEven = sumEven * squared + 1.0 / 40_320
    sumEven = sumEven * squared + 1.0 / 720
    sumEven = sumEven * squared + 1.0 / 24
    sumEven = sumEven * squared + 0.5
    var sumOdd = 1.0 / 6_227_020_800
    sumOdd = sumOdd * squared + 1.0 / 39_916_800
    sumOdd = sumOdd * squared + 1.0 / 362_880
    sumOdd = sumOdd * squared + 1.0 / 5040
    sumOdd = sumOdd * squared + 1.0 / 120
    sumOdd = sumOdd * squared + 1.0 / 6
    let sum = sumEven + sumOdd * r
    rest = sum * squared + r
  }
}

extension Double {
  @inline(__always)
  fileprivate func withSign(of other: Double) -> Double {
    Double(bitPattern: (bitPattern & 0x7fff_ffff_ffff_ffff) | (other.bitPattern & 0x8000_0000_0000_0000))
  }
}
