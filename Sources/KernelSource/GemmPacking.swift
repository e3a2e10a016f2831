import CKernelSupport

func packedFloats(k: Int, n: Int) -> Int { k &* ceilDivide(n, lanes) &* lanes }

func packB(_ args: dlk_pack_b_args, _ panels: Range<Int>) {
  guard args.paired != 0 else { return packBlock(args, panels) }
  // Of products in pairs, each block by itself: the depth has no outer part.
  let blocks = PairedBlocks(k: Int(args.k_inner), n: Int(args.n))
  let first = Int(args.row_begin), end = args.row_end == 0 ? Int(args.k_inner) : Int(args.row_end)
  for block in 0..<blocks.count {
    let rows = blocks.rows(block)
    var part = args
    part.source += rows.lowerBound &* Int(args.k_inner_stride) &* 4
    part.packed += blocks.start(block)
    part.k_inner = Int64(rows.count)
    part.row_begin = Int64(max(first, rows.lowerBound) &- rows.lowerBound)
    part.row_end = Int64(min(end, rows.upperBound) &- rows.lowerBound)
    if part.row_begin < part.row_end { packBlock(part, panels) }
  }
}

private func packBlock(_ args: dlk_pack_b_args, _ panels: Range<Int>) {
  // Where columns are adjacent, a row's parts for the panels lie one after the other: a few rows go to all panels before
  // the next, so that memory is read as it lies.
  let isRowwise = args.n_stride == 1
  let outer = Int(args.k_outer), inner = Int(args.k_inner)
  for o in 0..<(isRowwise ? outer : 1) {
    var first = Int(args.row_begin)
    let end = args.row_end == 0 ? inner : Int(args.row_end)
    repeat {
      let rows = isRowwise ? min(16, end &- first) : end &- first
      packPanels(args, panels, outer: isRowwise ? o..<o &+ 1 : 0..<outer, inner: first..<first &+ rows)
      first = first &+ rows
    } while first < end
  }
}

/// Packs a part of the depth.
@inline(__always)
private func packPanels(
  _ args: dlk_pack_b_args, _ panels: Range<Int>, outer: Range<Int>, inner: Range<Int>
) {
  let n = Int(args.n), k = Int(args.k_outer &* args.k_inner), isPaired = args.paired != 0
  let outerStride = Int(args.k_outer_stride) &* 4, innerStride = Int(args.k_inner_stride) &* 4
  let from = outer.lowerBound &* outerStride &+ inner.lowerBound &* innerStride
  let row = outer.lowerBound &* Int(args.k_inner) &+ inner.lowerBound
  // Products in pairs take narrower panels, which end with two rows of their own.
  let columns = isPaired ? pairedColumns : panelColumns, height = isPaired ? k &+ 2 : k
  let end = min(n, panels.upperBound &* panelColumns)
  var column = panels.lowerBound &* panelColumns
  while column < end {
    let width = min(columns, end &- column)
    #if DL_AVX512
      let isInterleaved = args.interleaved != 0 && !isPaired && width < columns
      let vectors =
        isInterleaved ? interleavedVectors(taps: Int(args.k_outer), depth: Int(args.k_inner), n: n) : 0
      if vectors > 0 {
        packInterleaved(args, column: column, width: width, outer: outer, inner: inner, vectors: vectors)
        return
      }
    #endif
    let rowFloats = ceilDivide(width, lanes) &* lanes
    let strip = PackedStrip(
      source: args.source + (column &* Int(args.n_stride) &* 4 &+ from),
      target: args.packed + (column &* height &+ row &* rowFloats), outer: outer.count, inner: inner.count,
      outerStride: outerStride, innerStride: innerStride, columnStride: Int(args.n_stride) &* 4, columns: width,
      rowFloats: rowFloats, scale: args.scale, panelFloats: columns &* height)
    strip.pack()
    column = column &+ columns
  }
}

#if DL_AVX512
  /// Packs rows of the last panel, interleaved two by two.
  ///
  /// - Parameter vectors: of two rows.
  private func packInterleaved(
    _ args: dlk_pack_b_args, column: Int, width: Int, outer: Range<Int>, inner: Range<Int>, vectors: Int
  ) {
    let rowFloats = ceilDivide(width, lanes) &* lanes, depth = Int(args.k_inner)
    let outerStride = Int(args.k_outer_stride) &* 4, innerStride = Int(args.k_inner_stride) &* 4
    let columnStride = Int(args.n_stride) &* 4
    let panel: Target = args.packed + column &* Int(args.k_outer) &* depth
    // A few rows of each tap at a time, as ever; at most 2 · 64 of three vectors.
    let some = max(2, min(16, 64 / outer.count & ~1))
    var room = InlineArray<384, VF> { _ in VF() }
    withAddress(of: &room) { room in
      let room = room.assumingMemoryBound(to: Float.self)
      var first = inner.lowerBound
      while first < inner.upperBound {
        let rows = min(some, inner.upperBound &- first)
        let from = outer.lowerBound &* outerStride &+ first &* innerStride &+ column &* columnStride
        PackedStrip(
          source: args.source + from, target: room, outer: outer.count, inner: rows, outerStride: outerStride,
          innerStride: innerStride, columnStride: columnStride, columns: width, rowFloats: rowFloats, scale: args.scale
        ).pack()
        for o in 0..<outer.count {
          var target = panel + ((outer.lowerBound &+ o) &* depth &+ first) &* vectors &* 8
          for row in stride(from: o &* rows, to: (o &+ 1) &* rows, by: 2) {
            for j in 0..<vectors {
              let source = room + (row &* rowFloats &+ j / 2 &* lanes)
              let even = dlk_load(source), odd = dlk_load(source + rowFloats)
              let isAlone = j &+ 1 == vectors && j % 2 == 0
              dlk_store(
                target,
                isAlone
                  ? dlk_zip_low(even, odd)
                  : j % 2 == 0 ? dlk_interleave_first(even, odd) : dlk_interleave_second(even, odd))
              target += lanes
            }
          }
        }
        first = first &+ rows
      }
    }
  }
#endif

func packRecurrent(_ args: dlk_pack_recurrent_args, _ panels: Range<Int>) {
  let gates = Int(args.gates), k = Int(args.k), row = gates &* lanes
  for panel in panels {
    let unit = panel &* lanes
    for gate in 0..<gates {
      let from = gate &* Int(args.gate_stride) &+ unit &* Int(args.unit_stride)
      let strip = PackedStrip(
        source: args.source + from &* 4, target: args.packed + (panel &* k &* row &+ gate &* lanes), outer: 1,
        inner: k, outerStride: 0, innerStride: Int(args.k_stride) &* 4,
        columnStride: Int(args.unit_stride) &* 4, columns: min(lanes, Int(args.hidden) &- unit), rowFloats: row,
        scale: 1)
      strip.pack()
    }
  }
}

/// One panel, or a gate's part of one, on its way from memory into packed form.
private struct PackedStrip {
  let source: UnsafeRawPointer
  let target: Target
  let outer: Int
  let inner: Int
  /// Bytes between neighbours in each direction.
  let outerStride: Int
  let innerStride: Int
  let columnStride: Int
  let columns: Int
  /// Floats from one packed row to the next.
  let rowFloats: Int
  let scale: Float
  /// Floats to where the strip of the next panel goes.
  var panelFloats = 0

  /// Floats of a packed row that belong to the strip.
  private var width: Int { ceilDivide(columns, lanes) &* lanes }

  @inline(__always)
  func pack() {
    if columnStride == 4 {
      packRows()
    } else if innerStride == 4 || inner == 1 && outerStride == 4 {
      packTransposed()
    } else if outerStride == 4 && (innerStride == outer &* 4 || inner == 1) {
      packInterleaved()
    } else {
      packScalars()
    }
  }

  private func packRows() {
    let factor = VF(repeating: scale)
    var target = target
    for o in 0..<outer {
      for i in 0..<inner {
        let row = source + (o &* outerStride &+ i &* innerStride)
        if lanes == 8 { dlk_prefetch_write(target + panelFloats) }
        forEachVector(columns) { at, count in
          let value = count == lanes ? dlk_load(row + at &* 4) : dlk_load_partial(row + at &* 4, count)
          dlk_store(target + at, value * factor)
        }
        target += rowFloats
      }
    }
  }

  /// Each column's elements are adjacent, at least for one tap.
  private func packTransposed() {
    let (taps, depth) = inner == 1 && outerStride == 4 ? (1, outer) : (outer, inner)
    for tap in 0..<taps {
      let target = target + tap &* depth &* rowFloats
      transpose(depth, from: source + tap &* outerStride) { target + $0 &* rowFloats }
    }
  }

  /// Each column's elements are adjacent, the taps of a channel next to each other.
  private func packInterleaved() {
    let (target, rowFloats, outer, inner) = (target, rowFloats, outer, inner)
    transpose(outer &* inner, from: source) { q in
      let channel = q / outer
      return target + ((q &- channel &* outer) &* inner &+ channel) &* rowFloats
    }
  }

  /// Turns `count` adjacent elements of each column into rows; `row` says where a row goes.
  @_transparent
  private func transpose(_ count: Int, from source: UnsafeRawPointer, _ row: (Int) -> Target) {
    let factor = VF(repeating: scale)
    forEachVector(columns) { column, present in
      let source = source + column &* columnStride
      forEachVector(count) { q, length in
        var block = VectorBlock { _ in VF() }
        for lane in 0..<present {
          let from = source + (lane &* columnStride &+ q &* 4)
          // So many columns at once the hardware does not follow.
          dlk_prefetch(from + 512)
          block[lane] = (length == lanes ? dlk_load(from) : dlk_load_partial(from, length)) * factor
        }
        transposeInRegisters(&block)
        for i in 0..<length { dlk_store(row(q &+ i) + column, block[i]) }
      }
    }
  }

  private func packScalars() {
    var target = target
    for o in 0..<outer {
      for i in 0..<inner {
        let row = source + (o &* outerStride &+ i &* innerStride)
        for column in 0..<width { target[column] = 0 }
        for column in 0..<columns { target[column] = dlk_load_scalar(row + column &* columnStride) * scale }
        target += rowFloats
      }
    }
  }
}
