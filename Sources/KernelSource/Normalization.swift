import CKernelSupport

func normalize(_ args: dlk_normalize_args, _ rows: Range<Int>) {
  let columns = Int(args.columns)
  for row in rows {
    var x: Source = args.x + row &* Int(args.x_row_stride)
    let y: Target = args.y + row &* Int(args.y_row_stride)
    if let skip = args.skip {
      // The sum is needed by every later pass: it is kept where the caller wants it, else in y.
      let sum: Target = args.sum.map { $0 + row &* Int(args.sum_row_stride) } ?? y
      add(x, skip + row &* Int(args.skip_row_stride), sum, columns)
      x = Source(sum)
    }
    let mean = args.rms == 0 ? total(x, columns, minus: 0, power: 1) / Float(columns) : 0
    let variance = total(x, columns, minus: mean, power: 2) / Float(columns)
    let inverse = 1 / (variance + args.epsilon).squareRoot()
    args.mean?[row] = mean
    args.inverse_deviation?[row] = inverse
    apply(x, y, columns, mean, inverse, args.scale, args.bias)
  }
}

private func add(_ x: Source, _ y: Source, _ out: Target, _ count: Int) {
  var i = 0
  while i &+ lanes <= count {
    dlk_store(out + i, dlk_load(x + i) + dlk_load(y + i))
    i = i &+ lanes
  }
  if i < count {
    let present = count &- i
    dlk_store_partial(out + i, dlk_load_partial(x + i, present) + dlk_load_partial(y + i, present), present)
  }
}

/// Σ (x − offset)^power, power 1 or 2.
@inline(__always)
private func total(_ x: Source, _ count: Int, minus offset: Float, power: Int) -> Float {
  let offset = constant(offset)
  var sums = InlineArray<4, VF> { _ in VF() }
  var i = 0
  while i &+ 4 &* lanes <= count {
    for j in 0..<4 {
      let value = dlk_load(x + (i &+ j &* lanes)) - offset
      sums[j] = power == 1 ? sums[j] + value : dlk_fma(value, value, sums[j])
    }
    i = i &+ 4 &* lanes
  }
  while i &+ lanes <= count {
    let value = dlk_load(x + i) - offset
    sums[0] = power == 1 ? sums[0] + value : dlk_fma(value, value, sums[0])
    i = i &+ lanes
  }
  if i < count {
    let value = loadPartial(x + i, count &- i, fill: offset) - offset
    sums[0] = power == 1 ? sums[0] + value : dlk_fma(value, value, sums[0])
  }
  return dlk_sum((sums[0] + sums[1]) + (sums[2] + sums[3]))
}

private func apply(
  _ x: Source, _ y: Target, _ count: Int, _ mean: Float, _ inverse: Float, _ scale: Source?, _ bias: Source?
) {
  let mean = constant(mean), inverse = constant(inverse)
  if let scale, let bias {
    var i = 0
    while i &+ lanes <= count {
      let value = (dlk_load(x + i) - mean) * inverse
      dlk_store(y + i, dlk_fma(value, dlk_load(scale + i), dlk_load(bias + i)))
      i = i &+ lanes
    }
    if i < count {
      let present = count &- i, value = (dlk_load_partial(x + i, present) - mean) * inverse
      let result = dlk_fma(value, dlk_load_partial(scale + i, present), dlk_load_partial(bias + i, present))
      dlk_store_partial(y + i, result, present)
    }
    return
  }
  forEachVector(count) { at, present in
    var value = (dlk_load_partial(x + at, present) - mean) * inverse
    if let scale { value *= dlk_load_partial(scale + at, present) }
    if let bias { value += dlk_load_partial(bias + at, present) }
    dlk_store_partial(y + at, value, present)
  }
}
