import CKernelSupport

/// An elementwise function with its parameters.
protocol UnaryFunction {
  func callAsFunction(_ x: VF) -> VF
}

/// Rows of adjacent floats at a distance from each other; the result's may be the operand's own.
struct RowBlock {
  let x: Source
  let xStride: Int
  let y: Target
  let yStride: Int
  let rows: Int
  let columns: Int
}

/// Whole vectors only.
@inline(__always)
private func map<F: UnaryFunction>(_ f: F, _ block: RowBlock) {
  var x = block.x, y = block.y
  for _ in 0..<block.rows {
    var i = 0
    while i < block.columns {
      dlk_store(y + i, f(dlk_load(x + i)))
      i = i &+ lanes
    }
    x += block.xStride
    y += block.yStride
  }
}

func unary(_ function: dlk_unary, _ a: Float, _ b: Float, _ x: Source, _ y: Target, _ count: Int) {
  unary(function, a, b, RowBlock(x: x, xStride: 0, y: y, yStride: 0, rows: 1, columns: count))
}

func unaryRows(_ args: dlk_unary_args) {
  unary(
    args.function, args.a, args.b,
    RowBlock(
      x: args.x, xStride: Int(args.x_row_stride), y: args.y, yStride: Int(args.y_row_stride), rows: Int(args.rows),
      columns: Int(args.columns)))
}

/// The ends of rows are brought into a vector, so that each function needs one loop.
func unary(_ function: dlk_unary, _ a: Float, _ b: Float, _ block: RowBlock) {
  if function == DLK_UNARY_IDENTITY && block.x == UnsafePointer(block.y) { return }
  let rest = block.columns % lanes
  let whole = block.columns &- rest
  if whole > 0 {
    mapWhole(
      function, a, b,
      RowBlock(
        x: block.x, xStride: block.xStride, y: block.y, yStride: block.yStride, rows: block.rows, columns: whole))
  }
  guard rest > 0 else { return }
  var held = VF()
  withAddress(of: &held) { memory in
    let held = memory.assumingMemoryBound(to: Float.self)
    let vector = RowBlock(x: Source(held), xStride: 0, y: held, yStride: 0, rows: 1, columns: lanes)
    for row in 0..<block.rows {
      dlk_store(held, dlk_load_partial(block.x + (row &* block.xStride &+ whole), rest))
      mapWhole(function, a, b, vector)
      dlk_store_partial(block.y + (row &* block.yStride &+ whole), dlk_load(held), rest)
    }
  }
}

@inline(never)
private func mapWhole(_ function: dlk_unary, _ a: Float, _ b: Float, _ block: RowBlock) {
  switch function {
  case DLK_UNARY_IDENTITY: map(Identity(), block)
  case DLK_UNARY_AFFINE: map(Affine(a: constant(a), b: constant(b)), block)
  case DLK_UNARY_ABS: map(Absolute(), block)
  case DLK_UNARY_NEGATE: map(Negate(), block)
  case DLK_UNARY_SIGN: map(Sign(), block)
  case DLK_UNARY_SQUARE: map(Square(), block)
  case DLK_UNARY_SQRT: map(SquareRoot(), block)
  case DLK_UNARY_RECIPROCAL: map(Reciprocal(), block)
  case DLK_UNARY_RSQRT: map(ReciprocalRoot(), block)
  case DLK_UNARY_FLOOR: map(Floor(), block)
  case DLK_UNARY_CEIL: map(Ceiling(), block)
  case DLK_UNARY_ROUND: map(Round(), block)
  case DLK_UNARY_EXP: map(Exponential(), block)
  case DLK_UNARY_LOG: map(Logarithm(), block)
  case DLK_UNARY_SIN, DLK_UNARY_COS: map(Sine(quarter: function == DLK_UNARY_COS ? 1 : 0), block)
  case DLK_UNARY_TANH: map(Tanh(), block)
  case DLK_UNARY_ERF: map(Erf(), block)
  case DLK_UNARY_SIGMOID: map(Sigmoid(), block)
  case DLK_UNARY_RELU: map(Relu(), block)
  case DLK_UNARY_CLIP: map(Clip(low: constant(a), high: constant(b)), block)
  case DLK_UNARY_LEAKY_RELU: map(LeakyRelu(slope: constant(a)), block)
  case DLK_UNARY_THRESHOLDED_RELU: map(ThresholdedRelu(threshold: constant(a)), block)
  case DLK_UNARY_ELU, DLK_UNARY_SELU, DLK_UNARY_CELU: map(Elu(function, a, b), block)
  case DLK_UNARY_SOFTPLUS: map(Softplus(), block)
  case DLK_UNARY_SOFTSIGN: map(Softsign(), block)
  case DLK_UNARY_MISH: map(Mish(), block)
  case DLK_UNARY_HARD_SIGMOID: map(HardSigmoid(a: constant(a), b: constant(b)), block)
  case DLK_UNARY_HARD_SWISH: map(HardSwish(), block)
  case DLK_UNARY_SILU where a == 1: map(Silu(), block)
  case DLK_UNARY_SILU: map(Swish(a: constant(a)), block)
  case DLK_UNARY_GELU_ERF: map(GeluErf(), block)
  case DLK_UNARY_GELU_TANH: map(GeluTanh(), block)
  case DLK_UNARY_TAN: map(Tangent(), block)
  case DLK_UNARY_ASIN: map(ArcSine(), block)
  case DLK_UNARY_ACOS: map(ArcCosine(), block)
  case DLK_UNARY_ATAN: map(ArcTangent(), block)
  case DLK_UNARY_SINH: map(HyperbolicSine(), block)
  case DLK_UNARY_COSH: map(HyperbolicCosine(), block)
  case DLK_UNARY_ASINH: map(InverseHyperbolicSine(), block)
  case DLK_UNARY_ACOSH: map(InverseHyperbolicCosine(), block)
  case DLK_UNARY_ATANH: map(InverseHyperbolicTangent(), block)
  default: map(Shrink(limit: constant(a), bias: constant(b)), block)
  }
}

private struct Identity: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { x }
}

private struct Affine: UnaryFunction {
  let a, b: VF
  @inline(__always) func callAsFunction(_ x: VF) -> VF { dlk_fma(a, x, b) }
}

private struct Absolute: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { dlk_abs(x) }
}

private struct Negate: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { -x }
}

private struct Sign: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF {
    let one = dlk_copysign(constant(1), x)
    return dlk_select(dlk_less(VF(), dlk_abs(x)), one, x)
  }
}

private struct Square: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { x * x }
}

private struct SquareRoot: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { dlk_sqrt(x) }
}

private struct Reciprocal: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { constant(1) / x }
}

private struct ReciprocalRoot: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { constant(1) / dlk_sqrt(x) }
}

private struct Floor: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { dlk_floor(x) }
}

private struct Ceiling: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { dlk_ceil(x) }
}

private struct Round: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { dlk_round_even(x) }
}

private struct Exponential: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { exponential(x) }
}

private struct Logarithm: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { logarithm(x) }
}

private struct Sine: UnaryFunction {
  let quarter: Int32
  @inline(__always) func callAsFunction(_ x: VF) -> VF { sine(x, quarter: quarter) }
}

private struct Tanh: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { hyperbolicTangent(x) }
}

private struct Erf: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { errorFunction(x) }
}

private struct Sigmoid: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { sigmoid(x) }
}

private struct Relu: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { dlk_max(VF(), x) }
}

private struct Clip: UnaryFunction {
  let low, high: VF
  @inline(__always) func callAsFunction(_ x: VF) -> VF { dlk_min(high, dlk_max(low, x)) }
}

private struct LeakyRelu: UnaryFunction {
  let slope: VF
  @inline(__always) func callAsFunction(_ x: VF) -> VF { dlk_select(dlk_less(x, VF()), x * slope, x) }
}

private struct ThresholdedRelu: UnaryFunction {
  let threshold: VF
  @inline(__always) func callAsFunction(_ x: VF) -> VF { dlk_select(dlk_less(threshold, x), x, VF()) }
}

/// positive · x above zero, negative · (e^(inner · x) − 1) below.
private struct Elu: UnaryFunction {
  let inner, negative, positive: VF

  init(_ function: dlk_unary, _ a: Float, _ b: Float) {
    let isScaled = function == DLK_UNARY_SELU
    inner = constant(function == DLK_UNARY_CELU ? 1 / a : 1)
    negative = constant(isScaled ? a * b : a)
    positive = constant(isScaled ? b : 1)
  }

  @inline(__always) func callAsFunction(_ x: VF) -> VF {
    dlk_select(dlk_less(x, VF()), negative * exponentialMinusOne(x * inner), positive * x)
  }
}

private struct Softplus: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { softplus(x) }
}

private struct Softsign: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF {
    // At infinity the quotient has no value, its limit has.
    let y = x / (dlk_abs(x) + 1)
    return dlk_select(dlk_equal(dlk_abs(x), constant(.infinity)), dlk_copysign(constant(1), x), y)
  }
}

private struct Mish: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF {
    // tanh(ln(1 + e)) = e(e + 2) / (e(e + 2) + 2); beyond 20 it is 1 to the last digit, and e² must not overflow.
    let e = exponential(dlk_min(constant(20), x))
    let product = e * (e + 2)
    return dlk_select(dlk_equal(x, constant(-.infinity)), VF(), x * (product / (product + 2)))
  }
}

private struct HardSigmoid: UnaryFunction {
  let a, b: VF
  @inline(__always) func callAsFunction(_ x: VF) -> VF {
    dlk_min(constant(1), dlk_max(VF(), dlk_fma(a, x, b)))
  }
}

private struct HardSwish: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF {
    let gate = dlk_min(constant(1), dlk_max(VF(), dlk_fma(x, constant(1.0 / 6), constant(0.5))))
    return dlk_select(dlk_less(x, constant(-3)), VF(), x * gate)
  }
}

private struct Silu: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { sigmoidLinear(x) }
}

/// x / (1 + e^(−a·x)).
private struct Swish: UnaryFunction {
  let a: VF
  @inline(__always) func callAsFunction(_ x: VF) -> VF {
    let scaled = a * x
    return dlk_select(dlk_less(scaled, constant(-88)), VF(), logisticQuotient(x, scaled))
  }
}

private struct GeluErf: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF {
    let half = x * constant(0.5)
    let y = dlk_fma(half, errorFunction(x * constant(0.707106781)), half)
    return dlk_select(dlk_equal(x, constant(-.infinity)), VF(), y)
  }
}

private struct GeluTanh: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF {
    // x/2 · (1 + tanh u) = x / (1 + e^(−2u)), which keeps its digits where tanh u is near −1.
    let u = x * dlk_fma(x * x, constant(0.044715 * 2 * 0.7978845608), constant(2 * 0.7978845608))
    // Further down the result is nothing.
    return logisticQuotient(dlk_max(constant(-100), x), u)
  }
}

private struct Tangent: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { tangent(x) }
}

private struct ArcSine: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { arcSine(x) }
}

private struct ArcCosine: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { arcCosine(x) }
}

private struct ArcTangent: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { arcTangent(x) }
}

private struct HyperbolicSine: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { hyperbolicSine(x) }
}

private struct HyperbolicCosine: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { hyperbolicCosine(x) }
}

private struct InverseHyperbolicSine: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { inverseHyperbolicSine(x) }
}

private struct InverseHyperbolicCosine: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { inverseHyperbolicCosine(x) }
}

private struct InverseHyperbolicTangent: UnaryFunction {
  @inline(__always) func callAsFunction(_ x: VF) -> VF { inverseHyperbolicTangent(x) }
}

private struct Shrink: UnaryFunction {
  let limit, bias: VF
  @inline(__always) func callAsFunction(_ x: VF) -> VF {
    dlk_select(dlk_less(x, -limit), x + bias, dlk_select(dlk_less(limit, x), x - bias, VF()))
  }
}
