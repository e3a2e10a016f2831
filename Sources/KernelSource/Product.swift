import CKernelSupport

/// How a type's elements are multiplied and added up.
private protocol ProductElement {
  associatedtype Vector
  static var size: Int { get }
  static var zero: Vector { get }
  static func load(_ source: UnsafeRawPointer) -> Vector
  static func broadcast(_ source: UnsafeRawPointer) -> Vector
  static func add(_ sum: Vector, _ a: Vector, _ b: Vector) -> Vector
  static func store(_ target: UnsafeMutableRawPointer, _ vector: Vector)
}

func product(_ args: dlk_product_args) {
  switch args.type {
  case DLK_PRODUCT_FLOAT64: product(Doubles.self, args)
  case DLK_PRODUCT_INT32: product(Integers.self, args)
  default: product(Pairs.self, args)
  }
}

/// Tiles of six rows by two vectors: few enough sums for sixteen registers, enough to hide how long one takes. What is
/// less than a tile goes through memory of a tile's size; rows beyond the last repeat the first.
@inline(__always)
private func product<E: ProductElement>(_: E.Type, _ args: dlk_product_args) {
  let size = lanes &* 4
  let (m, bytes) = (Int(args.m), Int(args.n) &* E.size)
  let aRow = Int(args.a_row_stride) &* E.size, cRow = Int(args.c_row_stride) &* E.size
  let a: UnsafeRawPointer = args.a, b: UnsafeRawPointer = args.b, c: UnsafeMutableRawPointer = args.c
  let adds = args.adds != 0
  var held = InlineArray<12, VF> { _ in VF() }
  withAddress(of: &held) { held in
    var column = 0
    while column < bytes {
      let width = min(2 &* size, bytes &- column)
      var row = 0
      while row < m {
        let rows = min(6, m &- row)
        let target = c + (row &* cRow &+ column)
        let isWhole = rows == 6 && width == 2 &* size
        if !isWhole && adds { copyRows(from: target, cRow, to: held, 2 &* size, rows, width) }
        tile(E.self, args, a + row &* aRow, rows, b + column, isWhole ? target : held, isWhole ? cRow : 2 &* size)
        if !isWhole { copyRows(from: held, 2 &* size, to: target, cRow, rows, width) }
        row = row &+ 6
      }
      column = column &+ 2 &* size
    }
  }
}

@inline(never)
private func copyRows(
  from source: UnsafeMutableRawPointer, _ sourceRow: Int, to target: UnsafeMutableRawPointer, _ targetRow: Int,
  _ rows: Int, _ bytes: Int
) {
  for i in 0..<rows { (target + targetRow &* i).copyMemory(from: source + sourceRow &* i, byteCount: bytes) }
}

@inline(__always)
private func tile<E: ProductElement>(
  _: E.Type, _ args: dlk_product_args, _ a: UnsafeRawPointer, _ rows: Int, _ b: UnsafeRawPointer,
  _ c: UnsafeMutableRawPointer, _ cRow: Int
) {
  let aRow = Int(args.a_row_stride) &* E.size, aColumn = Int(args.a_column_stride) &* E.size
  let bRow = Int(args.b_row_stride) &* E.size
  let size = lanes &* 4
  var sums = InlineArray<12, E.Vector> { _ in E.zero }
  if args.adds != 0 {
    for i in 0..<6 {
      sums[2 &* i] = E.load(c + i &* cRow)
      sums[2 &* i &+ 1] = E.load(c + (i &* cRow &+ size))
    }
  }
  let from = InlineArray<6, UnsafeRawPointer> { i in i < rows ? a + i &* aRow : a }
  var offset = 0
  var right = b
  for _ in 0..<Int(args.k) {
    let first = E.load(right), second = E.load(right + size)
    for i in 0..<6 {
      let factor = E.broadcast(from[i] + offset)
      sums[2 &* i] = E.add(sums[2 &* i], factor, first)
      sums[2 &* i &+ 1] = E.add(sums[2 &* i &+ 1], factor, second)
    }
    offset = offset &+ aColumn
    right += bRow
  }
  for i in 0..<6 {
    E.store(c + i &* cRow, sums[2 &* i])
    E.store(c + (i &* cRow &+ size), sums[2 &* i &+ 1])
  }
}

private enum Doubles: ProductElement {
  @inline(__always) static var size: Int { 8 }
  @inline(__always) static var zero: dlk_vd { dlk_vd() }
  @inline(__always) static func load(_ source: UnsafeRawPointer) -> dlk_vd { dlk_load_f64(source) }
  @inline(__always) static func broadcast(_ source: UnsafeRawPointer) -> dlk_vd {
    dlk_vd(repeating: source.loadUnaligned(as: Double.self))
  }
  @inline(__always) static func add(_ sum: dlk_vd, _ a: dlk_vd, _ b: dlk_vd) -> dlk_vd { dlk_fma_f64(a, b, sum) }
  @inline(__always) static func store(_ target: UnsafeMutableRawPointer, _ vector: dlk_vd) {
    dlk_store_f64(target, vector)
  }
}

private enum Integers: ProductElement {
  @inline(__always) static var size: Int { 4 }
  @inline(__always) static var zero: VI { VI() }
  @inline(__always) static func load(_ source: UnsafeRawPointer) -> VI { dlk_load_i32(source) }
  @inline(__always) static func broadcast(_ source: UnsafeRawPointer) -> VI {
    VI(repeating: source.loadUnaligned(as: Int32.self))
  }
  @inline(__always) static func add(_ sum: VI, _ a: VI, _ b: VI) -> VI { sum &+ a &* b }
  @inline(__always) static func store(_ target: UnsafeMutableRawPointer, _ vector: VI) {
    dlk_store_i32(target, vector)
  }
}

private enum Pairs: ProductElement {
  @inline(__always) static var size: Int { 4 }
  @inline(__always) static var zero: VI { VI() }
  @inline(__always) static func load(_ source: UnsafeRawPointer) -> VI { dlk_load_i32(source) }
  @inline(__always) static func broadcast(_ source: UnsafeRawPointer) -> VI {
    VI(repeating: source.loadUnaligned(as: Int32.self))
  }
  @inline(__always) static func add(_ sum: VI, _ a: VI, _ b: VI) -> VI { dlk_add_pairs(sum, a, b) }
  @inline(__always) static func store(_ target: UnsafeMutableRawPointer, _ vector: VI) {
    dlk_store_i32(target, vector)
  }
}
