import CKernelSupport

/// The rows of a plain matrix.
struct MatrixRows: RowSource {
  let a: Source
  let stride: Int
  let addresses: UnsafeMutablePointer<Source>

  var taps: Int { 1 }
  var tapLimit: Int { 1 }
  var blockLimit: Int { 4096 }

  mutating func prepare(row: Int, _ tiling: Tiling) {}

  @inline(__always)
  mutating func tile(row: Int, count: Int, offset: Int, taps: Range<Int>) -> UnsafePointer<Source> {
    var at = a + row &* stride
    for i in 0..<count {
      addresses[i] = at
      at += stride
    }
    return UnsafePointer(addresses)
  }

  @inline(__always)
  func lastTap(row: Int, offset: Int, _ i: Int, in count: Int) -> Source { a + row &* stride }
}

/// - Parameter packedColumns: the columns that B was packed with, of which the product uses the first n.
func gemm(_ args: dlk_gemm_args, _ rows: Range<Int>, _ panels: Range<Int>, packedColumns: Int) {
  let depth = Int(args.k), blocks = depthBlocks(args, rows.count)
  var first = 0
  for block in 0..<blocks {
    let end = depth &* (block &+ 1) / blocks
    var part = args
    part.k = Int64(end &- first)
    part.a += first
    if first > 0 {
      part.epilogue.bias = nil
      (part.epilogue.addend, part.epilogue.addend_row_stride) = (Source(args.c), args.c_row_stride)
      (part.epilogue.addend_scale, part.epilogue.addend_last) = (1, 0)
    }
    if end < depth { part.epilogue.activation = DLK_UNARY_IDENTITY }
    let layout = PanelSource.Layout.packed(
      columns: packedColumns, first: first, others: depth &- end &+ first)
    runMatrix(part, PanelSource(base: args.b, layout: layout), rows, panels)
    first = end
  }
}

/// How often to go over C so that a block of A and a panel of B stay in the second-level cache together. What one block
/// stores is where the next one's sums start, which changes no result, as long as nothing else is done to them and no
/// column ends within a vector, whose sums start at nothing.
private func depthBlocks(_ args: dlk_gemm_args, _ rows: Int) -> Int {
  guard rows >= 48, Int(args.n) % lanes == 0, Epilogue(args.epilogue).isFree else { return 1 }
  return max(1, ceilDivide(Int(args.k), deepest))
}

/// Elements of a row of A in a block.
private let deepest = 1024

func gemmDirect(_ args: dlk_gemm_args, _ rows: Range<Int>, _ panels: Range<Int>) {
  if args.b_column_stride == 1 {
    runMatrix(args, PanelSource(base: args.b, layout: .plain(rowStride: Int(args.b_row_stride))), rows, panels)
  } else {
    gemmDots(args, rows, panels)
  }
}

private func runMatrix(_ args: dlk_gemm_args, _ b: PanelSource, _ rows: Range<Int>, _ panels: Range<Int>) {
  var scratch = DriverScratch()
  var addresses = InlineArray<16, Source> { [a = args.a!] _ in a }
  withUnsafeMutablePointer(to: &scratch) { scratch in
    withAddress(of: &addresses) { addresses in
      let source = MatrixRows(
        a: args.a, stride: Int(args.a_row_stride), addresses: addresses.assumingMemoryBound(to: Source.self))
      var driver = ProductDriver(
        rows: source, depth: Int(args.k), n: Int(args.n), b: b, c: args.c, cStride: Int(args.c_row_stride),
        epilogue: Epilogue(args.epilogue), scratch: scratch)
      driver.run(rows: rows, panels: panels)
    }
  }
}

/// Products with a B whose columns are not adjacent: each element is a dot product along k.
private func gemmDots(_ args: dlk_gemm_args, _ rows: Range<Int>, _ panels: Range<Int>) {
  let epilogue = Epilogue(args.epilogue)
  let columns = panels.lowerBound &* panelColumns..<min(Int(args.n), panels.upperBound &* panelColumns)
  let cStride = Int(args.c_row_stride)
  var scratch = InlineArray<64, Float> { _ in 0 }
  withAddress(of: &scratch) { address in
    let scratch = address.assumingMemoryBound(to: Float.self)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let height = min(4, rows.upperBound &- row)
      var column = columns.lowerBound
      while column < columns.upperBound {
        let width = min(4, columns.upperBound &- column)
        if args.b_row_stride == 1 {
          dotTile(args, row: row, rows: height, column: column, columns: width, scratch)
        } else {
          scalarTile(args, row: row, rows: height, column: column, columns: width, scratch)
        }
        if epilogue.startsAtBias, let bias = args.epilogue.bias {
          for i in 0..<height { for j in 0..<width { scratch[i &* lanes &+ j] += bias[column &+ j] } }
        }
        epilogue.finish(
          scratch, width: lanes, rows: height, row: row, column: column, columns: width,
          c: args.c + (row &* cStride &+ column), cStride: cStride)
        column = column &+ width
      }
      row = row &+ height
    }
  }
}

/// At most 4 × 4 dot products along adjacent elements of both operands, `lanes` floats from one row of results to the
/// next.
private func dotTile(
  _ args: dlk_gemm_args, row: Int, rows: Int, column: Int, columns: Int, _ result: Target
) {
  let depth = Int(args.k)
  let b = InlineArray<4, Source> { args.b + (column &+ min($0, columns &- 1)) &* Int(args.b_column_stride) }
  for i in 0..<rows {
    let a = args.a + (row &+ i) &* Int(args.a_row_stride)
    var even = InlineArray<4, VF> { _ in VF() }, odd = InlineArray<4, VF> { _ in VF() }
    var k = 0
    while k &+ 2 &* lanes <= depth {
      let a0 = dlk_load(a + k), a1 = dlk_load(a + (k &+ lanes))
      for j in 0..<4 {
        even[j] = dlk_fma(a0, dlk_load(b[j] + k), even[j])
        odd[j] = dlk_fma(a1, dlk_load(b[j] + (k &+ lanes)), odd[j])
      }
      k = k &+ 2 &* lanes
    }
    while k < depth {
      let count = min(lanes, depth &- k)
      let a0 = dlk_load_partial(a + k, count)
      for j in 0..<4 { even[j] = dlk_fma(a0, dlk_load_partial(b[j] + k, count), even[j]) }
      k = k &+ lanes
    }
    for j in 0..<4 { result[i &* lanes &+ j] = dlk_sum(even[j] + odd[j]) }
  }
}

private func scalarTile(
  _ args: dlk_gemm_args, row: Int, rows: Int, column: Int, columns: Int, _ result: Target
) {
  for i in 0..<rows {
    let a = args.a + (row &+ i) &* Int(args.a_row_stride)
    for j in 0..<columns {
      let b = args.b + (column &+ j) &* Int(args.b_column_stride)
      var sum: Float = 0
      for k in 0..<Int(args.k) { sum += a[k] * b[k &* Int(args.b_row_stride)] }
      result[i &* lanes &+ j] = sum
    }
  }
}
