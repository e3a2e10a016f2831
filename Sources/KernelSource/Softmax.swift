import CKernelSupport

func softmax(_ args: dlk_softmax_args, _ rows: Range<Int>) {
  let columns = Int(args.columns)
  guard columns > 0 else { return }
  if columns < min(lanes, 8) { return softmaxSideBySide(args, rows) }
  // Rows of so few numbers as four vectors of the baseline have are not worth the code.
  if args.logarithm == 0, lanes > 4 {
    switch ceilDivide(columns, lanes) {
    case 1: return ShortRows<1>.softmax(args, rows)
    case 2: return ShortRows<2>.softmax(args, rows)
    case 3: return ShortRows<3>.softmax(args, rows)
    case 4: return ShortRows<4>.softmax(args, rows)
    default: break
    }
  }
  for row in rows {
    let x: Source = args.x + row &* Int(args.x_row_stride)
    let y: Target = args.y + row &* Int(args.y_row_stride)
    if args.logarithm == 0 {
      let sum = exponentials(x, y, columns, largest(x, columns), scale: 1)
      unary(DLK_UNARY_AFFINE, 1 / sum, 0, Source(y), y, columns)
    } else {
      let top = largest(x, columns)
      let shift = top + logarithm(constant(sumOfExponentials(x, columns, top)))[0]
      let shiftVector = constant(shift)
      var i = 0
      while i &+ lanes <= columns {
        dlk_store(y + i, dlk_load(x + i) - shiftVector)
        i = i &+ lanes
      }
      if i < columns { dlk_store_partial(y + i, dlk_load_partial(x + i, columns &- i) - shiftVector, columns &- i) }
    }
  }
}

/// Rows of a few numbers, as many at once as a vector has lanes: each lane is another row's.
@inline(never)
private func softmaxSideBySide(_ args: dlk_softmax_args, _ rows: Range<Int>) {
  let columns = Int(args.columns)
  let xStride = Int(args.x_row_stride), yStride = Int(args.y_row_stride)
  let isLogarithm = dlk_first_lanes(args.logarithm == 0 ? 0 : lanes)
  var storage = VectorBlock { _ in VF() }
  withAddress(of: &storage) { storage in
    let block: Target = storage.assumingMemoryBound(to: Float.self)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let count = min(lanes, rows.upperBound &- row)
      let x: Source = args.x + row &* xStride
      let y: Target = args.y + row &* yStride
      let isVector = count == lanes && columns == 1
      if isVector, xStride == 1 {
        dlk_store(block, dlk_load(x))
      } else {
        moveRows(x, xStride, 1, block, 1, lanes, count, columns)
      }
      var top = constant(-.infinity)
      for c in 0..<columns { top = dlk_max(dlk_load(block + c &* lanes), top) }
      var sum = VF()
      for c in 0..<columns {
        let value = dlk_load(block + c &* lanes) - top
        let power = exponential(notAbove0: value)
        dlk_store(block + c &* lanes, dlk_select(isLogarithm, value, power))
        sum += power
      }
      var factor = constant(1), shift = VF()
      if args.logarithm == 0 { factor /= sum } else { shift = logarithm(sum) }
      for c in 0..<columns { dlk_store(block + c &* lanes, dlk_load(block + c &* lanes) * factor - shift) }
      if isVector, yStride == 1 {
        dlk_store(y, dlk_load(block))
      } else {
        moveRows(Source(block), 1, lanes, y, yStride, 1, count, columns)
      }
      row = row &+ count
    }
  }
}

@inline(never)
private func moveRows(
  _ x: Source, _ xRow: Int, _ xColumn: Int, _ y: Target, _ yRow: Int, _ yColumn: Int, _ rows: Int, _ columns: Int
) {
  for r in 0..<rows {
    for c in 0..<columns { y[r &* yRow &+ c &* yColumn] = dlk_load_scalar(x + (r &* xRow &+ c &* xColumn)) }
  }
}

/// Rows of `V` vectors, the last of them perhaps in part: a row stays in registers from its largest number to the quotients,
/// so that the processor works on several at once.
private enum ShortRows<let V: Int> {
  /// The next row is read before a row is written: a read of what was just written in part would wait.
  @inline(never)
  static func softmax(_ args: dlk_softmax_args, _ rows: Range<Int>) {
    let last = (V &- 1) &* lanes, present = Int(args.columns) &- last
    var row = rows.lowerBound
    guard row < rows.upperBound else { return }
    var values = load(args, row)
    while row < rows.upperBound {
      let y: Target = args.y + row &* Int(args.y_row_stride)
      var top = constant(-.infinity)
      for v in 0..<V { top = dlk_max(values[v], top) }
      let shift = constant(-dlk_largest(top))
      for v in 0..<V { values[v] = exponential(notAbove0: values[v] + shift) }
      values[V &- 1] = dlk_select(dlk_first_lanes(present), values[V &- 1], VF())
      var sum = values[0]
      for v in 1..<V { sum += values[v] }
      let factor = constant(1 / dlk_sum(sum))
      row = row &+ 1
      let next = load(args, min(row, rows.upperBound &- 1))
      for v in 0..<V &- 1 { dlk_store(y + v &* lanes, values[v] * factor) }
      dlk_store_partial(y + last, values[V &- 1] * factor, present)
      values = next
    }
  }

  @inline(__always)
  private static func load(_ args: dlk_softmax_args, _ row: Int) -> InlineArray<V, VF> {
    let x: Source = args.x + row &* Int(args.x_row_stride)
    let last = (V &- 1) &* lanes, present = Int(args.columns) &- last
    return InlineArray { v in
      v < V &- 1 ? dlk_load(x + v &* lanes) : loadPartial(x + last, present, fill: constant(-.infinity))
    }
  }

  @inline(never)
  static func exponentials(_ x: Source, _ y: Target, _ count: Int, _ top: Float, scale: Float) -> Float {
    let last = (V &- 1) &* lanes, present = count &- last
    let top = constant(-top), scale = constant(scale)
    var values = InlineArray<V, VF> { v in
      v < V &- 1 ? dlk_load(x + v &* lanes) : dlk_load_partial(x + last, present)
    }
    for v in 0..<V { values[v] = exponential(notAbove0: values[v] * scale + top) }
    for v in 0..<V &- 1 { dlk_store(y + v &* lanes, values[v]) }
    dlk_store_partial(y + last, values[V &- 1], present)
    var sum = dlk_select(dlk_first_lanes(present), values[V &- 1], VF())
    for v in 0..<V &- 1 { sum += values[v] }
    return dlk_sum(sum)
  }
}

/// y = e^(scale · x − top) over `count` > 0 numbers; returns their sum. Products are rounded, as the largest of them, `top`,
/// is: an exact one might exceed it by far where numbers are large.
func exponentials(_ x: Source, _ y: Target, _ count: Int, _ top: Float, scale: Float) -> Float {
  if lanes > 4 {
    switch ceilDivide(count, lanes) {
    case 3: return ShortRows<3>.exponentials(x, y, count, top, scale: scale)
    case 4: return ShortRows<4>.exponentials(x, y, count, top, scale: scale)
    default: break
    }
  }
  let top = constant(-top), scale = constant(scale)
  var even = VF(), odd = VF()
  var i = 0
  while i &+ 2 &* lanes <= count {
    let first = exponential(notAbove0: dlk_load(x + i) * scale + top)
    let second = exponential(notAbove0: dlk_load(x + (i &+ lanes)) * scale + top)
    dlk_store(y + i, first)
    dlk_store(y + (i &+ lanes), second)
    even += first
    odd += second
    i = i &+ 2 &* lanes
  }
  while i < count {
    let present = min(lanes, count &- i)
    let value = exponential(notAbove0: dlk_load_partial(x + i, present) * scale + top)
    dlk_store_partial(y + i, value, present)
    even += dlk_select(dlk_first_lanes(present), value, VF())
    i = i &+ lanes
  }
  return dlk_sum(even + odd)
}

private func sumOfExponentials(_ x: Source, _ count: Int, _ top: Float) -> Float {
  let top = constant(top)
  var sum = VF()
  forEachVector(count) { at, present in
    let value = exponential(notAbove0: dlk_load_partial(x + at, present) - top)
    sum += dlk_select(dlk_first_lanes(present), value, VF())
  }
  return dlk_sum(sum)
}

/// The largest of `count` > 0 numbers, ignoring NaN where another number follows it.
func largest(_ x: Source, _ count: Int) -> Float {
  var even = constant(-.infinity), odd = even
  var i = 0
  while i &+ 2 &* lanes <= count {
    even = dlk_max(dlk_load(x + i), even)
    odd = dlk_max(dlk_load(x + (i &+ lanes)), odd)
    i = i &+ 2 &* lanes
  }
  while i < count {
    even = dlk_max(loadPartial(x + i, min(lanes, count &- i), fill: constant(-.infinity)), even)
    i = i &+ lanes
  }
  return dlk_largest(dlk_max(even, odd))
}
