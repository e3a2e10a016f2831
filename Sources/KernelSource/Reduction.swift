import CKernelSupport

/// A reduction: how a vector joins an accumulator, and how accumulators join.
protocol Reduction {
  static var identity: Float { get }
  static func accumulate(_ sum: VF, _ x: VF) -> VF
  static func join(_ a: VF, _ b: VF) -> VF
  static func finish(_ sum: VF) -> Float
}

func reduceRows(_ args: dlk_reduce_args, _ rows: Range<Int>) {
  switch args.function {
  case DLK_REDUCE_MAX: reduceRows(Largest.self, args, rows)
  case DLK_REDUCE_MIN: reduceRows(Smallest.self, args, rows)
  case DLK_REDUCE_SUM_SQUARE: reduceRows(SumOfSquares.self, args, rows)
  case DLK_REDUCE_SUM_ABS: reduceRows(SumOfMagnitudes.self, args, rows)
  default: reduceRows(Sum.self, args, rows)
  }
  if args.function == DLK_REDUCE_MEAN {
    for row in rows { args.y[row] /= Float(args.columns) }
  }
}

func reduceColumns(_ args: dlk_reduce_args, _ columns: Range<Int>) {
  switch args.function {
  case DLK_REDUCE_MAX: reduceColumns(Largest.self, args, columns)
  case DLK_REDUCE_MIN: reduceColumns(Smallest.self, args, columns)
  case DLK_REDUCE_SUM_SQUARE: reduceColumns(SumOfSquares.self, args, columns)
  case DLK_REDUCE_SUM_ABS: reduceColumns(SumOfMagnitudes.self, args, columns)
  default: reduceColumns(Sum.self, args, columns)
  }
  if args.function == DLK_REDUCE_MEAN {
    for column in columns { args.y[column] /= Float(args.rows) }
  }
}

@inline(__always)
private func reduceRows<R: Reduction>(_: R.Type, _ args: dlk_reduce_args, _ rows: Range<Int>) {
  let count = Int(args.columns), identity = constant(R.identity)
  for row in rows {
    let x: Source = args.x + row &* Int(args.x_row_stride)
    var sums = InlineArray<4, VF> { _ in identity }
    var i = 0
    while i &+ 4 &* lanes <= count {
      for j in 0..<4 { sums[j] = R.accumulate(sums[j], dlk_load(x + (i &+ j &* lanes))) }
      i = i &+ 4 &* lanes
    }
    while i < count {
      let present = min(lanes, count &- i)
      let sum = R.accumulate(sums[0], dlk_load_partial(x + i, present))
      sums[0] = dlk_select(dlk_first_lanes(present), sum, sums[0])
      i = i &+ lanes
    }
    args.y[row] = R.finish(R.join(R.join(sums[0], sums[1]), R.join(sums[2], sums[3])))
  }
}

/// Runs down strips of four vectors, so that each cache line is read once.
@inline(__always)
private func reduceColumns<R: Reduction>(_: R.Type, _ args: dlk_reduce_args, _ columns: Range<Int>) {
  let rows = Int(args.rows), stride = Int(args.x_row_stride), identity = constant(R.identity)
  var column = columns.lowerBound
  while column &+ 4 &* lanes <= columns.upperBound {
    var sums = InlineArray<4, VF> { _ in identity }
    var x: Source = args.x + column
    for _ in 0..<rows {
      for j in 0..<4 { sums[j] = R.accumulate(sums[j], dlk_load(x + j &* lanes)) }
      x += stride
    }
    for j in 0..<4 { dlk_store(args.y + (column &+ j &* lanes), sums[j]) }
    column = column &+ 4 &* lanes
  }
  while column < columns.upperBound {
    let present = min(lanes, columns.upperBound &- column)
    var sum = identity
    var x: Source = args.x + column
    for _ in 0..<rows {
      sum = R.accumulate(sum, dlk_load_partial(x, present))
      x += stride
    }
    dlk_store_partial(args.y + column, sum, present)
    column = column &+ lanes
  }
}

private enum Sum: Reduction {
  @inline(__always) static var identity: Float { 0 }
  @inline(__always) static func accumulate(_ sum: VF, _ x: VF) -> VF { sum + x }
  @inline(__always) static func join(_ a: VF, _ b: VF) -> VF { a + b }
  @inline(__always) static func finish(_ sum: VF) -> Float { dlk_sum(sum) }
}

private enum SumOfSquares: Reduction {
  @inline(__always) static var identity: Float { 0 }
  @inline(__always) static func accumulate(_ sum: VF, _ x: VF) -> VF { dlk_fma(x, x, sum) }
  @inline(__always) static func join(_ a: VF, _ b: VF) -> VF { a + b }
  @inline(__always) static func finish(_ sum: VF) -> Float { dlk_sum(sum) }
}

private enum SumOfMagnitudes: Reduction {
  @inline(__always) static var identity: Float { 0 }
  @inline(__always) static func accumulate(_ sum: VF, _ x: VF) -> VF { sum + dlk_abs(x) }
  @inline(__always) static func join(_ a: VF, _ b: VF) -> VF { a + b }
  @inline(__always) static func finish(_ sum: VF) -> Float { dlk_sum(sum) }
}

private enum Largest: Reduction {
  @inline(__always) static var identity: Float { -.infinity }
  @inline(__always) static func accumulate(_ sum: VF, _ x: VF) -> VF { join(sum, x) }
  // The first operand is returned where it is NaN, the second where that one is.
  @inline(__always) static func join(_ a: VF, _ b: VF) -> VF { dlk_select(dlk_equal(a, a), dlk_max(a, b), a) }
  @inline(__always) static func finish(_ sum: VF) -> Float { dlk_has_nan(sum) ? .nan : dlk_largest(sum) }
}

private enum Smallest: Reduction {
  @inline(__always) static var identity: Float { .infinity }
  @inline(__always) static func accumulate(_ sum: VF, _ x: VF) -> VF { join(sum, x) }
  @inline(__always) static func join(_ a: VF, _ b: VF) -> VF { dlk_select(dlk_equal(a, a), dlk_min(a, b), a) }
  @inline(__always) static func finish(_ sum: VF) -> Float { dlk_has_nan(sum) ? .nan : -dlk_largest(-sum) }
}
