import CKernelSupport

/// One tile of a product: a few rows by one panel's columns, over all taps and the depth of each.
struct Tile {
  /// `[tap][row]`: where each row's elements start.
  var rows: UnsafePointer<Source>
  /// Floats to add to each of them.
  var shift = 0
  var taps: Int
  /// Elements of a row per tap.
  var depth: Int
  var b: Source
  /// Floats from one k to the next in `b`.
  var bStep: Int
  /// Columns of the last vector that exist in `c`.
  var lastColumns: Int
  var c: Target
  var cStride: Int
  /// What the sums start at: the bias of the columns, or zeros; negative ones where an addend, which may be sums so far,
  /// keeps the signs of its zeros.
  var bias: Source
  var addend: Source?
  var addendStride: Int
  var clamp: Bool
  var low: Float
  var high: Float
  /// How many tiles of as many rows follow each other, this one among them; of those that `MicroKernel` makes.
  var tiles = 1
  /// Floats from one tile's rows to the next one's.
  var step = 0
  /// Elements of the next tile's rows to bring into the first-level cache, which keeps them only while little else passes.
  var fetched = 0
  /// Addresses from one tile's to the next one's; 0 where all have the same, and their shifts differ by `step`.
  var listStep = 0
  /// What is added to the next tile is brought into the cache meanwhile.
  var fetchesAddend = false
  /// What tiles of several vectors bring into the cache meanwhile, and how far they go at each k.
  var prefetch: UnsafeRawPointer
  var prefetchStep: Int
  /// Of products in pairs: floats from one row to the next, and two factors of each: what multiplies its sums,
  /// and before that what is added to them.
  var rowStride = 0
  var factors: Source? = nil
}

/// How columns of memory are reached: in whole vectors, or one vector of which only a part exists.
protocol ColumnAccess {
  static func load(_ source: Source, _ columns: Int) -> VF
  static func store(_ target: Target, _ value: VF, _ columns: Int)
}

enum WholeColumns: ColumnAccess {
  @inline(__always) static func load(_ source: Source, _ columns: Int) -> VF { dlk_load(source) }
  @inline(__always) static func store(_ target: Target, _ value: VF, _ columns: Int) { dlk_store(target, value) }
}

enum PartialColumns: ColumnAccess {
  @inline(__always) static func load(_ source: Source, _ columns: Int) -> VF { dlk_load_partial(source, columns) }
  @inline(__always) static func store(_ target: Target, _ value: VF, _ columns: Int) {
    dlk_store_partial(target, value, columns)
  }
}

/// `MR` rows by `NV` vectors of columns, all sums in registers. Every sum runs over k in ascending order in one
/// accumulator, so that a result does not depend on the tile that computes it.
enum MicroKernel<let MR: Int, let NV: Int, Columns: ColumnAccess> {
  private typealias Sums = InlineArray<MR, InlineArray<NV, VF>>

  @inline(never)
  static func run(_ tile: UnsafePointer<Tile>) {
    var rows = tile.pointee.rows, shift = tile.pointee.shift, prefetch = tile.pointee.prefetch
    var c = tile.pointee.c, addend = tile.pointee.addend
    for _ in 0..<tile.pointee.tiles {
      var sums = start(tile, addend)
      if tile.pointee.fetchesAddend, let addend {
        let next = addend + MR &* tile.pointee.addendStride
        for i in 0..<MR { for j in 0..<NV { dlk_prefetch(next + (i &* tile.pointee.addendStride &+ j &* lanes)) } }
      }
      add(&sums, tile, rows, shift, &prefetch)
      finish(&sums, tile, c)
      c += MR &* tile.pointee.cStride
      if let last = addend { addend = last + MR &* tile.pointee.addendStride }
      rows += tile.pointee.listStep
      if tile.pointee.listStep == 0 { shift = shift &+ tile.pointee.step }
    }
  }

  /// The sums before the first product: bias and addend.
  @inline(__always)
  private static func start(_ tile: UnsafePointer<Tile>, _ addend: Source?) -> Sums {
    let columns = tile.pointee.lastColumns
    var sums = Sums { _ in InlineArray<NV, VF> { Columns.load(tile.pointee.bias + $0 &* lanes, columns) } }
    if let addend {
      let stride = tile.pointee.addendStride
      for i in 0..<MR {
        for j in 0..<NV &- 1 { sums[i][j] += dlk_load(addend + (i &* stride &+ j &* lanes)) }
      }
      let last = addend + (NV &- 1) &* lanes
      if columns == lanes && !loadsPartsAsFast {
        for i in 0..<MR { sums[i][NV &- 1] += dlk_load(last + i &* stride) }
      } else {
        for i in 0..<MR { sums[i][NV &- 1] += dlk_load_partial(last + i &* stride, columns) }
      }
    }
    return sums
  }

  @inline(__always)
  private static func add(
    _ sums: inout Sums, _ tile: UnsafePointer<Tile>, _ rows: UnsafePointer<Source>, _ shift: Int,
    _ prefetch: inout UnsafeRawPointer
  ) {
    var b = tile.pointee.b, rows = rows
    let bStep = tile.pointee.bStep, prefetchStep = tile.pointee.prefetchStep
    let depth = tile.pointee.depth, columns = tile.pointee.lastColumns
    let step = tile.pointee.step, fetched = tile.pointee.fetched
    // Few tiles have far to go: less at once, so that memory can follow.
    let block = prefetchStep > 16 ? 4 : 16
    for _ in 0..<tile.pointee.taps {
      let a = InlineArray<MR, Source> { rows[$0] + shift }
      rows += MR
      var k = 0
      while k < depth {
        // The next tile's rows lie so far apart that the hardware does not see where they lead.
        if k < fetched { for i in 0..<MR { dlk_prefetch(a[i] + (k &+ step)) } }
        let end = min(depth, k &+ block)
        // A tile of one vector has no time for it: its loads are as many as its sums.
        if NV > 1 {
          let last = prefetch + (end &- k) &* prefetchStep
          repeat {
            dlk_prefetch_l2(prefetch)
            prefetch += 64
          } while prefetch < last
          prefetch = last
        }
        repeat {
          let bVectors = InlineArray<NV, VF> { Columns.load(b + $0 &* lanes, columns) }
          b += bStep
          for i in 0..<MR {
            let aVector = VF(repeating: a[i][k])
            for j in 0..<NV { sums[i][j] = dlk_fma(aVector, bVectors[j], sums[i][j]) }
          }
          k = k &+ 1
        } while k < end
      }
    }
  }

  @inline(__always)
  private static func finish(_ sums: inout Sums, _ tile: UnsafePointer<Tile>, _ c: Target) {
    if tile.pointee.clamp {
      let low = VF(repeating: tile.pointee.low), high = VF(repeating: tile.pointee.high)
      for i in 0..<MR { for j in 0..<NV { sums[i][j] = dlk_min(high, dlk_max(low, sums[i][j])) } }
    }
    let columns = tile.pointee.lastColumns, stride = tile.pointee.cStride, last = c + (NV &- 1) &* lanes
    for i in 0..<MR {
      for j in 0..<NV &- 1 { dlk_store(c + (i &* stride &+ j &* lanes), sums[i][j]) }
    }
    if columns == lanes {
      for i in 0..<MR { dlk_store(last + i &* stride, sums[i][NV &- 1]) }
    } else {
      for i in 0..<MR { dlk_store_partial(last + i &* stride, sums[i][NV &- 1], columns) }
    }
  }
}

/// One row by `P` neighbouring panels of `NV` vectors: as many independent sums as it takes to hide the latency of the
/// arithmetic and to keep several streams of memory going.
enum RowKernel<let P: Int, let NV: Int> {
  @inline(never)
  static func run(_ tile: UnsafePointer<Tile>, panelStride: Int) {
    var sums = InlineArray<P, InlineArray<NV, VF>> { p in
      InlineArray<NV, VF> { dlk_load(tile.pointee.bias + (p &* NV &+ $0) &* lanes) }
    }
    if let addend = tile.pointee.addend {
      for p in 0..<P { for j in 0..<NV { sums[p][j] += dlk_load(addend + (p &* NV &+ j) &* lanes) } }
    }
    let bStep = tile.pointee.bStep, depth = tile.pointee.depth
    var b = tile.pointee.b
    for tap in 0..<tile.pointee.taps {
      let a = tile.pointee.rows[tap] + tile.pointee.shift
      for k in 0..<depth {
        let aVector = VF(repeating: a[k])
        for p in 0..<P {
          for j in 0..<NV {
            sums[p][j] = dlk_fma(aVector, dlk_load(b + (p &* panelStride &+ j &* lanes)), sums[p][j])
          }
        }
        b += bStep
      }
    }
    if tile.pointee.clamp {
      let low = VF(repeating: tile.pointee.low), high = VF(repeating: tile.pointee.high)
      for p in 0..<P { for j in 0..<NV { sums[p][j] = dlk_min(high, dlk_max(low, sums[p][j])) } }
    }
    for p in 0..<P { for j in 0..<NV { dlk_store(tile.pointee.c + (p &* NV &+ j) &* lanes, sums[p][j]) } }
  }
}

/// Rows of the highest tile of all.
@inline(__always) var highestTile: Int { 12 }

#if DL_AVX512
  /// Vectors of columns in a whole panel.
  let panelVectors = 4
  /// Whether a part of a vector is loaded like a whole one.
  @inline(__always) var loadsPartsAsFast: Bool { true }
  /// Panels that `runRowTile` takes at once.
  let rowPanels = 2

  func runRowTile(_ tile: UnsafePointer<Tile>, panelStride: Int) {
    RowKernel<2, 4>.run(tile, panelStride: panelStride)
  }

  /// Rows of the largest tile over `vectors` vectors of columns: about 24 sums, and the operands beside them.
  @inline(__always) func tileRows(_ vectors: Int) -> Int {
    switch vectors {
    case 4: 6
    case 3: 9
    case 2: 12
    default: 10
    }
  }

  func runTile(_ tile: UnsafePointer<Tile>, rows: Int, vectors: Int) {
    switch (vectors, rows) {
    case (4, 1): MicroKernel<1, 4, WholeColumns>.run(tile)
    case (4, 2): MicroKernel<2, 4, WholeColumns>.run(tile)
    case (4, 3): MicroKernel<3, 4, WholeColumns>.run(tile)
    case (4, 4): MicroKernel<4, 4, WholeColumns>.run(tile)
    case (4, 5): MicroKernel<5, 4, WholeColumns>.run(tile)
    case (4, 6): MicroKernel<6, 4, WholeColumns>.run(tile)
    case (3, 1): MicroKernel<1, 3, WholeColumns>.run(tile)
    case (3, 2): MicroKernel<2, 3, WholeColumns>.run(tile)
    case (3, 3): MicroKernel<3, 3, WholeColumns>.run(tile)
    case (3, 4): MicroKernel<4, 3, WholeColumns>.run(tile)
    case (3, 5): MicroKernel<5, 3, WholeColumns>.run(tile)
    case (3, 6): MicroKernel<6, 3, WholeColumns>.run(tile)
    case (3, 7): MicroKernel<7, 3, WholeColumns>.run(tile)
    case (3, 8): MicroKernel<8, 3, WholeColumns>.run(tile)
    case (3, 9): MicroKernel<9, 3, WholeColumns>.run(tile)
    case (2, 1): MicroKernel<1, 2, WholeColumns>.run(tile)
    case (2, 2): MicroKernel<2, 2, WholeColumns>.run(tile)
    case (2, 3): MicroKernel<3, 2, WholeColumns>.run(tile)
    case (2, 4): MicroKernel<4, 2, WholeColumns>.run(tile)
    case (2, 5): MicroKernel<5, 2, WholeColumns>.run(tile)
    case (2, 6): MicroKernel<6, 2, WholeColumns>.run(tile)
    case (2, 7): MicroKernel<7, 2, WholeColumns>.run(tile)
    case (2, 8): MicroKernel<8, 2, WholeColumns>.run(tile)
    case (2, 9): MicroKernel<9, 2, WholeColumns>.run(tile)
    case (2, 10): MicroKernel<10, 2, WholeColumns>.run(tile)
    case (2, 11): MicroKernel<11, 2, WholeColumns>.run(tile)
    case (2, 12): MicroKernel<12, 2, WholeColumns>.run(tile)
    case (1, 9): MicroKernel<9, 1, WholeColumns>.run(tile)
    case (1, 10): MicroKernel<10, 1, WholeColumns>.run(tile)
    default: runNarrowTile(tile, rows: rows)
    }
  }
#else
  let panelVectors = 2
  @inline(__always) var loadsPartsAsFast: Bool { false }
  let rowPanels = 4

  func runRowTile(_ tile: UnsafePointer<Tile>, panelStride: Int) {
    RowKernel<4, 2>.run(tile, panelStride: panelStride)
  }

  @inline(__always) func tileRows(_ vectors: Int) -> Int { vectors == 2 ? 6 : 8 }

  func runTile(_ tile: UnsafePointer<Tile>, rows: Int, vectors: Int) {
    switch (vectors, rows) {
    case (2, 1): MicroKernel<1, 2, WholeColumns>.run(tile)
    case (2, 2): MicroKernel<2, 2, WholeColumns>.run(tile)
    case (2, 3): MicroKernel<3, 2, WholeColumns>.run(tile)
    case (2, 4): MicroKernel<4, 2, WholeColumns>.run(tile)
    case (2, 5): MicroKernel<5, 2, WholeColumns>.run(tile)
    case (2, 6): MicroKernel<6, 2, WholeColumns>.run(tile)
    default: runNarrowTile(tile, rows: rows)
    }
  }
#endif

/// Columns of a whole panel.
@inline(__always) var panelColumns: Int { panelVectors &* lanes }

/// A tile one vector wide and at most eight rows high.
private func runNarrowTile(_ tile: UnsafePointer<Tile>, rows: Int) {
  switch rows {
  case 1: MicroKernel<1, 1, WholeColumns>.run(tile)
  case 2: MicroKernel<2, 1, WholeColumns>.run(tile)
  case 3: MicroKernel<3, 1, WholeColumns>.run(tile)
  case 4: MicroKernel<4, 1, WholeColumns>.run(tile)
  case 5: MicroKernel<5, 1, WholeColumns>.run(tile)
  case 6: MicroKernel<6, 1, WholeColumns>.run(tile)
  case 7: MicroKernel<7, 1, WholeColumns>.run(tile)
  default: MicroKernel<8, 1, WholeColumns>.run(tile)
  }
}

/// A tile over fewer columns than a vector holds, at most four rows high.
func runPartialTile(_ tile: UnsafePointer<Tile>, rows: Int) {
  switch rows {
  case 1: MicroKernel<1, 1, PartialColumns>.run(tile)
  case 2: MicroKernel<2, 1, PartialColumns>.run(tile)
  case 3: MicroKernel<3, 1, PartialColumns>.run(tile)
  default: MicroKernel<4, 1, PartialColumns>.run(tile)
  }
}
