import CKernelSupport

/// The rows of a plain matrix.
struct MatrixRows: ProductRows {
  private let stride: Int
  /// Of the first rows; the others' are found from them.
  private let addresses: UnsafeMutablePointer<Source>

  /// - Parameter addresses: room for those of a tile's rows.
  init(a: Source, stride: Int, addresses: UnsafeMutablePointer<Source>) {
    (self.stride, self.addresses) = (stride, addresses)
    for i in 0..<highestTile { addresses[i] = a + i &* stride }
  }

  var taps: Int { 1 }
  var tapLimit: Int { 1 }
  var blockLimit: Int { 4096 }

  mutating func prepare(row: Int, _ tiling: Tiling) {}

  @inline(__always)
  mutating func tile(row: Int, count: Int, offset: Int, taps: Range<Int>) -> UnsafePointer<Source> {
    UnsafePointer(addresses)
  }

  @inline(__always) func shift(row: Int) -> Int { row &* stride }
  @inline(__always) var distance: Int { stride }
  @inline(__always) var joinsTiles: Bool { true }

  @inline(__always) func live(row: Int, count: Int) -> Range<Int> { 0..<1 }
}

/// - Parameter packedColumns: the columns that B was packed with, of which the product uses the first n.
func gemm(_ args: dlk_gemm_args, _ rows: Range<Int>, _ panels: Range<Int>, packedColumns: Int) {
  #if DL_AVX512
    if args.paired != 0 { return gemmInPairs(args, rows, panels) }
  #endif
  let depth = Int(args.k), blocks = depthBlocks(args, rows.count)
  var first = 0
  for block in 0..<blocks {
    let end = depth &* (block &+ 1) / blocks
    let part = depthPart(args, first..<end)
    let b = PanelSource(
      base: args.b, layout: .packed(columns: packedColumns, first: first, others: depth &- end &+ first),
      interleaved: args.interleaved == 0 ? 0 : interleavedVectors(taps: 1, depth: depth, n: packedColumns))
    let column = panels.lowerBound &* panelColumns
    let step = ceilDivide(min(panelColumns, packedColumns &- column), lanes) &* lanes
    let after =
      end < depth ? args.b + (column &* depth &+ end &* step) : args.next?.assumingMemoryBound(to: Float.self)
    runMatrix(part, b, rows, panels, after: after)
    first = end
  }
}

/// The product over a part of the depth: it goes on from what the part before stored.
private func depthPart(_ args: dlk_gemm_args, _ depth: Range<Int>) -> dlk_gemm_args {
  var part = args
  part.k = Int64(depth.count)
  part.a += depth.lowerBound
  if depth.lowerBound > 0 {
    part.epilogue.bias = nil
    (part.epilogue.addend, part.epilogue.addend_row_stride) = (Source(args.c), args.c_row_stride)
    (part.epilogue.addend_scale, part.epilogue.addend_last) = (1, 0)
  }
  if depth.upperBound < Int(args.k) { part.epilogue.activation = DLK_UNARY_IDENTITY }
  return part
}

#if DL_AVX512
  /// B is as `pair_b` left it: a product in pairs for each block of the depth, which goes on from what the last one left.
  private func gemmInPairs(_ args: dlk_gemm_args, _ rows: Range<Int>, _ panels: Range<Int>) {
    let blocks = PairedBlocks(k: Int(args.k), n: Int(args.n)), share = panelVectors / pairedVectors
    let panels = panels.lowerBound &* share..<panels.upperBound &* share
    let limit = pairedRowLimit(depth: blocks.rows(0).count)
    for block in 0..<blocks.count {
      let depth = blocks.rows(block), isLast = block &+ 1 == blocks.count
      let part = depthPart(args, depth)
      let next =
        isLast
        ? args.next?.assumingMemoryBound(to: Float.self)
        : args.b
          + (blocks.start(block &+ 1) &+ panels.lowerBound &* pairedColumns &* (blocks.rows(block &+ 1).count &+ 2))
      run(
        part, PanelSource(base: args.b + blocks.start(block), layout: .packed(columns: Int(args.n), others: 2)), rows,
        panels, after: next
      ) { PairedRows(part, balance: args.b + (blocks.factors &+ depth.lowerBound), blockLimit: limit, addresses: $0) }
    }
  }
#endif

/// How often to go over C so that a block of A and a panel of B stay in the second-level cache together. What one block
/// stores is where the next one's sums start, which changes no result, as long as nothing else is done to them. Narrow
/// ends of rows are not worth it.
private func depthBlocks(_ args: dlk_gemm_args, _ rows: Int) -> Int {
  guard rows >= 48, args.c_run == 0, Int(args.n) % lanes == 0, Epilogue(args.epilogue).isFree else { return 1 }
  return max(1, ceilDivide(Int(args.k), deepest))
}

/// Elements of a row of A in a block.
let deepest = 768

func gemmDirect(_ args: dlk_gemm_args, _ rows: Range<Int>, _ panels: Range<Int>) {
  if args.b_column_stride != 1 {
    gemmDots(args, rows, panels)
  } else if rows.count == 1 {
    gemmRow(args, rows.lowerBound, panels)
  } else if copiesPanels(args, rows.count) {
    gemmThroughCopies(args, rows, panels)
  } else {
    runMatrix(args, PanelSource(base: args.b, layout: .plain(rowStride: Int(args.b_row_stride))), rows, panels)
  }
}

/// Rows of a panel that are copied at once, of at most 16 columns, so that they stay in the first-level cache beside those
/// of A.
private let copiedRows = 384

/// Whether the first-level cache cannot keep a panel from tile to tile where it is: its rows are a line each, and where a
/// power of two divides their distance, they share a few of 64 sets of eight lines.
private func copiesPanels(_ args: dlk_gemm_args, _ rows: Int) -> Bool {
  guard lanes == 8, rows >= 3 &* tileRows(panelVectors) else { return false }
  let depth = Int(args.k), distance = Int(args.b_row_stride) &* 4
  let sets = 4096 >> max(6, min(12, distance.trailingZeroBitCount))
  return depth > 6 &* sets && (depth <= copiedRows || Epilogue(args.epilogue).isFree)
}

/// Copies some rows of each panel before they are multiplied.
private func gemmThroughCopies(_ args: dlk_gemm_args, _ rows: Range<Int>, _ panels: Range<Int>) {
  let depth = Int(args.k), blocks = ceilDivide(depth, copiedRows)
  var room = InlineArray<6144, Float> { _ in 0 }
  withAddress(of: &room) { room in
    let room = room.assumingMemoryBound(to: Float.self)
    for panel in panels {
      let column = panel &* panelColumns, width = min(panelColumns, Int(args.n) &- column)
      var strip = args
      strip.n = Int64(width)
      strip.c += column
      strip.epilogue.bias = args.epilogue.bias.map { $0 + column }
      strip.epilogue.addend = args.epilogue.addend.map { $0 + column }
      var first = 0
      for block in 0..<blocks {
        let end = depth &* (block &+ 1) / blocks
        var packing = dlk_pack_b_args()
        packing.source = UnsafeRawPointer(args.b + (first &* Int(args.b_row_stride) &+ column))
        (packing.n, packing.k_outer, packing.k_inner) = (strip.n, 1, Int64(end &- first))
        (packing.k_inner_stride, packing.n_stride, packing.scale) = (args.b_row_stride, 1, 1)
        packing.packed = room
        packB(packing, 0..<1)
        runMatrix(
          depthPart(strip, first..<end), PanelSource(base: Source(room), layout: .packed(columns: width)), rows, 0..<1)
        first = end
      }
    }
  }
}

private func runMatrix(
  _ args: dlk_gemm_args, _ b: PanelSource, _ rows: Range<Int>, _ panels: Range<Int>, after: Source? = nil
) {
  run(args, b, rows, panels, after: after) {
    MatrixRows(a: args.a, stride: Int(args.a_row_stride), addresses: $0)
  }
}

@inline(__always)
private func run<Rows: ProductRows>(
  _ args: dlk_gemm_args, _ b: PanelSource, _ rows: Range<Int>, _ panels: Range<Int>, after: Source?,
  _ source: (UnsafeMutablePointer<Source>) -> Rows
) {
  var room = DriverScratch.Room { _ in 0 }
  var addresses = InlineArray<16, Source> { [a = args.a!] _ in a }
  withAddress(of: &room) { room in
    withAddress(of: &addresses) { addresses in
      // A megabyte or more does not stay in the second-level cache beside the result.
      let isFar = args.epilogue.addend != nil && args.m &* args.epilogue.addend_row_stride > 1 << 18
      var driver = ProductDriver(
        rows: source(addresses.assumingMemoryBound(to: Source.self)), depth: Int(args.k), n: Int(args.n), b: b,
        c: args.c, cStride: Int(args.c_row_stride),
        runs: args.c_run == 0 ? RowRuns() : RowRuns(count: Int(args.c_run), stride: Int(args.c_run_stride)),
        epilogue: Epilogue(args.epilogue), scratch: DriverScratch(room),
        after: after, fetchesAddend: isFar)
      driver.run(rows: rows, panels: panels)
    }
  }
}
