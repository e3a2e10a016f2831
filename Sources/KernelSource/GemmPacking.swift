import CKernelSupport

/// How the elements of a matrix that is to be packed lie in memory, at any alignment.
protocol PackedElement {
  static var bytes: Int { get }
  static func vector(_ source: UnsafeRawPointer) -> VF
  static func part(_ source: UnsafeRawPointer, _ count: Int) -> VF
  static func scalar(_ source: UnsafeRawPointer) -> Float
}

enum Float32Element: PackedElement {
  @inline(__always) static var bytes: Int { 4 }
  @inline(__always) static func vector(_ source: UnsafeRawPointer) -> VF { dlk_load(source) }
  @inline(__always) static func part(_ source: UnsafeRawPointer, _ count: Int) -> VF {
    dlk_load_partial(source, count)
  }
  @inline(__always) static func scalar(_ source: UnsafeRawPointer) -> Float { dlk_load_scalar(source) }
}

enum Float16Element: PackedElement {
  @inline(__always) static var bytes: Int { 2 }
  @inline(__always) static func vector(_ source: UnsafeRawPointer) -> VF { dlk_load_f16(source) }
  @inline(__always) static func part(_ source: UnsafeRawPointer, _ count: Int) -> VF {
    dlk_load_f16_partial(source, count)
  }
  @inline(__always) static func scalar(_ source: UnsafeRawPointer) -> Float { part(source, 1)[0] }
}

enum BFloat16Element: PackedElement {
  @inline(__always) static var bytes: Int { 2 }
  @inline(__always) static func vector(_ source: UnsafeRawPointer) -> VF { dlk_load_bf16(source) }
  @inline(__always) static func part(_ source: UnsafeRawPointer, _ count: Int) -> VF {
    dlk_load_bf16_partial(source, count)
  }
  @inline(__always) static func scalar(_ source: UnsafeRawPointer) -> Float { part(source, 1)[0] }
}

func packedFloats(k: Int, n: Int) -> Int { k &* ceilDivide(n, lanes) &* lanes }

func packB(_ args: dlk_pack_b_args, _ panels: Range<Int>) {
  switch args.type {
  case DLK_FLOAT16: packB(Float16Element.self, args, panels)
  case DLK_BFLOAT16: packB(BFloat16Element.self, args, panels)
  default: packB(Float32Element.self, args, panels)
  }
}

@inline(__always)
private func packB<E: PackedElement>(_ element: E.Type, _ args: dlk_pack_b_args, _ panels: Range<Int>) {
  // Where columns are adjacent, a row's parts for the panels lie one after the other: a few rows go to all panels before
  // the next, so that memory is read as it lies.
  let isRowwise = args.n_stride == 1
  let outer = Int(args.k_outer), inner = Int(args.k_inner)
  for o in 0..<(isRowwise ? outer : 1) {
    var first = 0
    repeat {
      let rows = isRowwise ? min(16, inner &- first) : inner
      packPanels(element, args, panels, outer: isRowwise ? o..<o &+ 1 : 0..<outer, inner: first..<first &+ rows)
      first = first &+ rows
    } while first < inner
  }
}

/// Packs a part of the depth.
@inline(__always)
private func packPanels<E: PackedElement>(
  _ element: E.Type, _ args: dlk_pack_b_args, _ panels: Range<Int>, outer: Range<Int>, inner: Range<Int>
) {
  let n = Int(args.n), k = Int(args.k_outer &* args.k_inner)
  let outerStride = Int(args.k_outer_stride) &* E.bytes, innerStride = Int(args.k_inner_stride) &* E.bytes
  let from = outer.lowerBound &* outerStride &+ inner.lowerBound &* innerStride
  let row = outer.lowerBound &* Int(args.k_inner) &+ inner.lowerBound
  for panel in panels {
    let column = panel &* panelColumns
    guard column < n else { return }
    let width = min(panelColumns, n &- column)
    let rowFloats = ceilDivide(width, lanes) &* lanes
    let strip = PackedStrip<E>(
      source: args.source + (column &* Int(args.n_stride) &* E.bytes &+ from),
      target: args.packed + (column &* k &+ row &* rowFloats), outer: outer.count, inner: inner.count,
      outerStride: outerStride, innerStride: innerStride, columnStride: Int(args.n_stride) &* E.bytes, columns: width,
      rowFloats: rowFloats, scale: args.scale)
    strip.pack()
  }
}

func packRecurrent(_ args: dlk_pack_recurrent_args, _ panels: Range<Int>) {
  switch args.type {
  case DLK_FLOAT16: packRecurrent(Float16Element.self, args, panels)
  case DLK_BFLOAT16: packRecurrent(BFloat16Element.self, args, panels)
  default: packRecurrent(Float32Element.self, args, panels)
  }
}

@inline(__always)
private func packRecurrent<E: PackedElement>(
  _ element: E.Type, _ args: dlk_pack_recurrent_args, _ panels: Range<Int>
) {
  let gates = Int(args.gates), k = Int(args.k), row = gates &* lanes
  for panel in panels {
    let unit = panel &* lanes
    for gate in 0..<gates {
      let from = gate &* Int(args.gate_stride) &+ unit &* Int(args.unit_stride)
      let strip = PackedStrip<E>(
        source: args.source + from &* E.bytes, target: args.packed + (panel &* k &* row &+ gate &* lanes), outer: 1,
        inner: k, outerStride: 0, innerStride: Int(args.k_stride) &* E.bytes,
        columnStride: Int(args.unit_stride) &* E.bytes, columns: min(lanes, Int(args.hidden) &- unit), rowFloats: row,
        scale: 1)
      strip.pack()
    }
  }
}

/// One panel, or a gate's part of one, on its way from memory into packed form.
private struct PackedStrip<E: PackedElement> {
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

  /// Floats of a packed row that belong to the strip.
  private var width: Int { ceilDivide(columns, lanes) &* lanes }

  @inline(__always)
  func pack() {
    if columnStride == E.bytes {
      packRows()
    } else if innerStride == E.bytes || inner == 1 && outerStride == E.bytes {
      packTransposed()
    } else if outerStride == E.bytes && (innerStride == outer &* E.bytes || inner == 1) {
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
        forEachVector(columns) { at, count in
          let value = count == lanes ? E.vector(row + at &* E.bytes) : E.part(row + at &* E.bytes, count)
          dlk_store(target + at, value * factor)
        }
        target += rowFloats
      }
    }
  }

  /// Each column's elements are adjacent, at least for one tap.
  private func packTransposed() {
    let (taps, depth) = inner == 1 && outerStride == E.bytes ? (1, outer) : (outer, inner)
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
          let from = source + (lane &* columnStride &+ q &* E.bytes)
          // So many columns at once the hardware does not follow.
          dlk_prefetch(from + 512)
          block[lane] = (length == lanes ? E.vector(from) : E.part(from, length)) * factor
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
        for column in 0..<columns { target[column] = E.scalar(row + column &* columnStride) * scale }
        target += rowFloats
      }
    }
  }
}
