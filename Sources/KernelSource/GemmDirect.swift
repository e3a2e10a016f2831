import CKernelSupport

/// One row times a B in place, of which a few rows at a time are added to a part of the sums that stays in the first-level
/// cache: memory is read as it lies. Each sum starts at bias and addend and runs over k in ascending order, as in a tile.
func gemmRow(_ args: dlk_gemm_args, _ row: Int, _ panels: Range<Int>) {
  let epilogue = Epilogue(args.epilogue), end = min(Int(args.n), panels.upperBound &* panelColumns)
  let c = args.c + row &* Int(args.c_row_stride)
  var scratch = InlineArray<512, Float> { _ in 0 }
  withAddress(of: &scratch) { address in
    let scratch = address.assumingMemoryBound(to: Float.self)
    // The longer a run of memory, the faster it comes: the sums of a long one are where the results will be.
    let isWhole = (end &- panels.lowerBound &* panelColumns) % lanes == 0
    let isInPlace = epilogue.isFree || (args.epilogue.addend == nil && isWhole)
    let limit = isInPlace ? 4096 : 512
    var column = panels.lowerBound &* panelColumns
    while column < end {
      let width = min(limit, end &- column)
      if epilogue.isFree {
        startRow(args.epilogue, row, column, width, c + column)
        addRows(args, row, column, width, c + column)
        if epilogue.clamps { clampRow(c + column, width, epilogue.low, epilogue.high) }
      } else {
        let bias = epilogue.startsAtBias ? args.epilogue.bias : nil
        let sums = isInPlace ? c + column : scratch
        forEachVector(width) { at, count in
          dlk_store(sums + at, bias.map { dlk_load_partial($0 + (column &+ at), count) } ?? VF())
        }
        addRows(args, row, column, width, sums)
        epilogue.finish(
          sums, width: width, rows: 1, row: row, column: column, columns: width, c: c + column,
          cStride: Int(args.c_row_stride))
      }
      column = column &+ width
    }
  }
}

private func startRow(_ epilogue: dlk_epilogue, _ row: Int, _ column: Int, _ width: Int, _ sums: Target) {
  let addend = epilogue.addend.map { $0 + (row &* Int(epilogue.addend_row_stride) &+ column) }
  // What is added to negative zeros keeps the sign of its own.
  let none = constant(addend == nil ? 0 : -0.0)
  forEachVector(width) { at, count in
    var sum = epilogue.bias.map { dlk_load_partial($0 + (column &+ at), count) } ?? none
    if let addend { sum += dlk_load_partial(addend + at, count) }
    dlk_store_partial(sums + at, sum, count)
  }
}

private func clampRow(_ sums: Target, _ width: Int, _ low: Float, _ high: Float) {
  let low = VF(repeating: low), high = VF(repeating: high)
  forEachVector(width) { at, count in
    dlk_store_partial(sums + at, dlk_min(high, dlk_max(low, dlk_load_partial(sums + at, count))), count)
  }
}

private func addRows(_ args: dlk_gemm_args, _ row: Int, _ column: Int, _ width: Int, _ sums: Target) {
  let a = args.a + row &* Int(args.a_row_stride), depth = Int(args.k), stride = Int(args.b_row_stride)
  var b = args.b + column
  var k = 0
  while k &+ 8 <= depth {
    RowSum<8>.run(a + k, b, stride, width, sums)
    b += 8 &* stride
    k = k &+ 8
  }
  while k < depth {
    RowSum<1>.run(a + k, b, stride, width, sums)
    b += stride
    k = k &+ 1
  }
}

/// Adds `R` rows of B, each times its factor, to the sums.
private enum RowSum<let R: Int> {
  @inline(never)
  static func run(_ a: Source, _ b: Source, _ stride: Int, _ width: Int, _ sums: Target) {
    let factors = InlineArray<R, VF> { VF(repeating: a[$0]) }
    // The hardware follows a run of memory within one page only; at a row's end the next rows begin.
    let ahead = min(rowAhead, width), wrap = R &* stride &- width
    var at = 0
    while at &+ 4 &* lanes <= width {
      let next = b + (at &+ ahead &+ (at &+ ahead < width ? 0 : wrap))
      var sum = InlineArray<4, VF> { dlk_load(sums + (at &+ $0 &* lanes)) }
      for i in 0..<R {
        for v in 0..<4 {
          if v &* lanes % 16 == 0 { dlk_prefetch(next + (i &* stride &+ v &* lanes)) }
          sum[v] = dlk_fma(factors[i], dlk_load(b + (i &* stride &+ at &+ v &* lanes)), sum[v])
        }
      }
      for v in 0..<4 { dlk_store(sums + (at &+ v &* lanes), sum[v]) }
      at = at &+ 4 &* lanes
    }
    while at &+ lanes <= width {
      var sum = dlk_load(sums + at)
      for i in 0..<R { sum = dlk_fma(factors[i], dlk_load(b + (i &* stride &+ at)), sum) }
      dlk_store(sums + at, sum)
      at = at &+ lanes
    }
    guard at < width else { return }
    var sum = dlk_load_partial(sums + at, width &- at)
    for i in 0..<R { sum = dlk_fma(factors[i], dlk_load_partial(b + (i &* stride &+ at), width &- at), sum) }
    dlk_store_partial(sums + at, sum, width &- at)
  }
}

/// Products with a B whose columns are not adjacent: each element is a dot product along k.
func gemmDots(_ args: dlk_gemm_args, _ rows: Range<Int>, _ panels: Range<Int>) {
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

/// How far ahead of their use a column and a row are asked for, in floats.
private let ahead = 256
private let rowAhead = 256

/// At most 4 × 4 dot products along adjacent elements of both operands, `lanes` floats from one row of results to the
/// next.
private func dotTile(
  _ args: dlk_gemm_args, row: Int, rows: Int, column: Int, columns: Int, _ result: Target
) {
  let depth = Int(args.k)
  let b = InlineArray<4, Source> { args.b + (column &+ min($0, columns &- 1)) &* Int(args.b_column_stride) }
  // The hardware follows a run of memory within one page only; at a column's end the next columns begin.
  let wrap = 4 &* Int(args.b_column_stride) &- depth
  for i in 0..<rows {
    let a = args.a + (row &+ i) &* Int(args.a_row_stride)
    var even = InlineArray<4, VF> { _ in VF() }, odd = InlineArray<4, VF> { _ in VF() }
    var k = 0
    while k &+ 2 &* lanes <= depth {
      let next = k &+ ahead &+ (k &+ ahead < depth ? 0 : wrap)
      let a0 = dlk_load(a + k), a1 = dlk_load(a + (k &+ lanes))
      for j in 0..<4 {
        dlk_prefetch(b[j] + next)
        dlk_prefetch(b[j] + (next &+ lanes))
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
