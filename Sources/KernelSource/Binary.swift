import CKernelSupport

/// An elementwise function of two operands.
protocol BinaryFunction {
  static func apply(_ x: VF, _ y: VF) -> VF
}

/// One row of an operand: adjacent numbers, or the same one throughout.
protocol Operand {
  init(_ row: Source)
  func vector(_ at: Int) -> VF
  func part(_ at: Int, _ count: Int) -> VF
}

func binary(_ args: dlk_binary_args) {
  guard args.columns > 0 else { return }
  switch args.function {
  case DLK_BINARY_ADD: map(Add.self, args)
  case DLK_BINARY_SUB: map(Subtract.self, args)
  case DLK_BINARY_MUL: map(Multiply.self, args)
  case DLK_BINARY_DIV: map(Divide.self, args)
  case DLK_BINARY_MIN: map(Minimum.self, args)
  case DLK_BINARY_MAX: map(Maximum.self, args)
  default: map(ParametricRelu.self, args)
  }
}

@inline(__always)
private func map<F: BinaryFunction>(_ f: F.Type, _ args: dlk_binary_args) {
  switch (args.x_column_stride, args.y_column_stride) {
  case (0, 0): map(f, Repeated.self, Repeated.self, args)
  case (0, _): map(f, Repeated.self, Adjacent.self, args)
  case (_, 0): map(f, Adjacent.self, Repeated.self, args)
  default: map(f, Adjacent.self, Adjacent.self, args)
  }
}

@inline(__always)
private func map<F: BinaryFunction, X: Operand, Y: Operand>(
  _ f: F.Type, _: X.Type, _: Y.Type, _ args: dlk_binary_args
) {
  let columns = Int(args.columns)
  for row in 0..<Int(args.rows) {
    let x = X(args.x + row &* Int(args.x_row_stride))
    let y = Y(args.y + row &* Int(args.y_row_stride))
    let out: Target = args.out + row &* Int(args.out_row_stride)
    var i = 0
    while i &+ lanes <= columns {
      dlk_store(out + i, F.apply(x.vector(i), y.vector(i)))
      i = i &+ lanes
    }
    if i < columns {
      let count = columns &- i
      dlk_store_partial(out + i, F.apply(x.part(i, count), y.part(i, count)), count)
    }
  }
}

private struct Adjacent: Operand {
  let row: Source
  @inline(__always) init(_ row: Source) { self.row = row }
  @inline(__always) func vector(_ at: Int) -> VF { dlk_load(row + at) }
  @inline(__always) func part(_ at: Int, _ count: Int) -> VF { dlk_load_partial(row + at, count) }
}

private struct Repeated: Operand {
  let value: VF
  @inline(__always) init(_ row: Source) { value = constant(row[0]) }
  @inline(__always) func vector(_ at: Int) -> VF { value }
  @inline(__always) func part(_ at: Int, _ count: Int) -> VF { value }
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
