import CKernelSupport

/// An elementwise function of two operands.
protocol BinaryFunction {
  static func apply(_ x: VF, _ y: VF) -> VF
}

/// A number that is repeated and the end of a row are read from vectors in memory, so that each function needs one loop.
func binary(_ args: dlk_binary_args) {
  let columns = Int(args.columns), rest = columns % lanes
  let whole = columns &- rest
  let (xStep, yStep) = (Int(args.x_column_stride), Int(args.y_column_stride))
  guard columns > 0 else { return }
  if whole == 0 && args.rows > 1 {
    switch args.function {
    case DLK_BINARY_ADD: return shortRows(Add.self, args)
    case DLK_BINARY_SUB: return shortRows(Subtract.self, args)
    case DLK_BINARY_MUL: return shortRows(Multiply.self, args)
    case DLK_BINARY_DIV: return shortRows(Divide.self, args)
    default: break
    }
  }
  var held = InlineArray<3, VF> { _ in VF() }
  withAddress(of: &held) { memory in
    let heldX = memory.assumingMemoryBound(to: Float.self)
    let heldY = heldX + lanes, heldOut = heldY + lanes
    let (repeatedX, repeatedY) = (Source(heldX), Source(heldY))
    for row in 0..<Int(args.rows) {
      let x: Source = args.x + row &* Int(args.x_row_stride), y: Source = args.y + row &* Int(args.y_row_stride)
      let out: Target = args.out + row &* Int(args.out_row_stride)
      if xStep == 0 { dlk_store(heldX, constant(x[0])) }
      if yStep == 0 { dlk_store(heldY, constant(y[0])) }
      if whole > 0 {
        line(args.function, xStep == 0 ? repeatedX : x, xStep, yStep == 0 ? repeatedY : y, yStep, out, whole)
      }
      if rest == 0 { continue }
      if xStep != 0 { dlk_store(heldX, dlk_load_partial(x + whole, rest)) }
      if yStep != 0 { dlk_store(heldY, dlk_load_partial(y + whole, rest)) }
      line(args.function, repeatedX, 0, repeatedY, 0, heldOut, lanes)
      dlk_store_partial(out + whole, dlk_load(heldOut), rest)
    }
  }
}

/// Rows of less than a vector. Several are read before they are written, as a row that is written over itself would hold
/// up the next one, whose vector begins within that of the former.
@inline(__always)
private func shortRows<F: BinaryFunction>(_: F.Type, _ args: dlk_binary_args) {
  let columns = Int(args.columns), together = 8
  let (repeatsX, repeatsY) = (args.x_column_stride == 0, args.y_column_stride == 0)
  var results = InlineArray<8, VF> { _ in VF() }
  var row = 0
  while row < Int(args.rows) {
    let count = min(together, Int(args.rows) &- row)
    var x: Source = args.x + row &* Int(args.x_row_stride), y: Source = args.y + row &* Int(args.y_row_stride)
    for index in 0..<count {
      let a = repeatsX ? constant(x[0]) : dlk_load_partial(x, columns)
      let b = repeatsY ? constant(y[0]) : dlk_load_partial(y, columns)
      results[index] = F.apply(a, b)
      x += Int(args.x_row_stride)
      y += Int(args.y_row_stride)
    }
    var out: Target = args.out + row &* Int(args.out_row_stride)
    for index in 0..<count {
      dlk_store_partial(out, results[index], columns)
      out += Int(args.out_row_stride)
    }
    row = row &+ count
  }
}

/// Whole vectors; a step of 0 repeats one.
@inline(never)
private func line(
  _ function: dlk_binary, _ x: Source, _ xStep: Int, _ y: Source, _ yStep: Int, _ out: Target, _ count: Int
) {
  switch function {
  case DLK_BINARY_ADD: map(Add.self, x, xStep, y, yStep, out, count)
  case DLK_BINARY_SUB: map(Subtract.self, x, xStep, y, yStep, out, count)
  case DLK_BINARY_MUL: map(Multiply.self, x, xStep, y, yStep, out, count)
  case DLK_BINARY_DIV: map(Divide.self, x, xStep, y, yStep, out, count)
  case DLK_BINARY_MIN: map(Minimum.self, x, xStep, y, yStep, out, count)
  case DLK_BINARY_MAX: map(Maximum.self, x, xStep, y, yStep, out, count)
  case DLK_BINARY_PRELU: map(ParametricRelu.self, x, xStep, y, yStep, out, count)
  case DLK_BINARY_POW: map(Power.self, x, xStep, y, yStep, out, count)
  default: map(Remainder.self, x, xStep, y, yStep, out, count)
  }
}

@inline(__always)
private func map<F: BinaryFunction>(
  _: F.Type, _ x: Source, _ xStep: Int, _ y: Source, _ yStep: Int, _ out: Target, _ count: Int
) {
  var i = 0
  while i < count {
    dlk_store(out + i, F.apply(dlk_load(x + i &* xStep), dlk_load(y + i &* yStep)))
    i = i &+ lanes
  }
}

private enum Add: BinaryFunction {
  @inline(__always) static func apply(_ x: VF, _ y: VF) -> VF { x + y }
}

private enum Subtract: BinaryFunction {
  @inline(__always) static func apply(_ x: VF, _ y: VF) -> VF { x - y }
}

private enum Multiply: BinaryFunction {
  @inline(__always) static func apply(_ x: VF, _ y: VF) -> VF { x * y }
}

private enum Divide: BinaryFunction {
  @inline(__always) static func apply(_ x: VF, _ y: VF) -> VF { x / y }
}

private enum Minimum: BinaryFunction {
  @inline(__always) static func apply(_ x: VF, _ y: VF) -> VF { dlk_select(dlk_equal(x, x), dlk_min(x, y), x) }
}

private enum Maximum: BinaryFunction {
  @inline(__always) static func apply(_ x: VF, _ y: VF) -> VF { dlk_select(dlk_equal(x, x), dlk_max(x, y), x) }
}

private enum ParametricRelu: BinaryFunction {
  @inline(__always) static func apply(_ x: VF, _ y: VF) -> VF { dlk_select(dlk_less(x, VF()), x * y, x) }
}

private enum Power: BinaryFunction {
  @inline(__always) static func apply(_ x: VF, _ y: VF) -> VF { power(x, y) }
}

private enum Remainder: BinaryFunction {
  @inline(__always) static func apply(_ x: VF, _ y: VF) -> VF { remainder(x, y) }
}
