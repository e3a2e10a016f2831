import CKernelSupport

/// B as a driver walks it.
struct PanelSource {
  enum Layout {
    /// - Parameters:
    ///   - first: how many rows of each panel come before those of the product.
    ///   - others: how many rows of a panel are not the product's.
    case packed(columns: Int, first: Int = 0, others: Int = 0)
    case plain(rowStride: Int)
    /// Panels of a convolution's groups, each of so many columns and as many floats.
    case groups(columns: Int, floats: Int)
  }

  let base: Source
  let layout: Layout
  /// `interleavedVectors` of the last panel, or of every group's.
  var interleaved = 0

  @inline(__always) var isPacked: Bool {
    if case .packed = layout { true } else { false }
  }
  @inline(__always) var isGrouped: Bool {
    if case .groups = layout { true } else { false }
  }
}

/// What a driver needs beside its arguments, on its caller's stack.
struct DriverScratch {
  typealias Room = InlineArray<576, Float>
  static var tileFloats: Int { 512 }

  /// A tile that cannot be stored directly, or several.
  let tile: Target
  /// The bias of a panel, where the caller's ends within a vector.
  let bias: Target

  init(_ room: UnsafeMutableRawPointer) {
    tile = room.assumingMemoryBound(to: Float.self)
    bias = tile + Self.tileFloats
  }
}

/// What of a panel is used again and again while the next part of it is on its way to the same cache.
let partBytes = 512 << 10
/// What is asked for at once of what is read next.
private let fetchedBytes = 8 << 10

/// Where the rows of C lie: runs of so many, each at its own distance after the one before.
struct RowRuns {
  var count = Int.max
  /// Floats from one run to the next.
  var stride = 0

  /// Floats from the first row to another.
  @inline(__always) func place(_ row: Int, _ rowStride: Int) -> Int {
    count == .max ? row &* rowStride : row / count &* stride &+ row % count &* rowStride
  }

  /// Rows from one on until its run ends.
  @inline(__always) func rest(_ row: Int) -> Int { count == .max ? count : count &- row % count }
}

/// A product over a range of rows and panels: the loops around the tiles.
struct ProductDriver<Rows: ProductRows> {
  var rows: Rows
  /// Elements of a row of A per tap.
  let depth: Int
  /// Columns of the whole product.
  let n: Int
  let b: PanelSource
  /// Where row 0, column 0 goes.
  let c: Target
  let cStride: Int
  var runs = RowRuns()
  let epilogue: Epilogue
  let scratch: DriverScratch
  /// What is read of B once the last panel is done, if anything.
  var after: Source? = nil
  /// The addend as a whole is too large for the nearer caches.
  var fetchesAddend = false

  /// The columns of B that one pass covers: a panel or a part of one.
  private struct Strip {
    var column: Int
    /// Columns that exist, and the vectors that hold them.
    var width: Int
    var vectors: Int
    /// Rows of B are interleaved two by two; each vector has eight columns.
    var isInterleaved = false
    /// Fewer columns than a vector, in memory that holds no more.
    var isPartial: Bool
    var b: Source
    var bStep: Int
    /// What is read after this strip.
    var next: Source

    /// Vectors of a row of results.
    @inline(__always) var results: Int { isInterleaved ? (vectors &+ 1) / 2 : vectors }
    /// Columns of the last one that exist.
    @inline(__always) var lastColumns: Int { width &- (results &- 1) &* lanes }
  }

  /// Columns of a whole panel.
  @inline(__always) private static var columns: Int { Rows.panelWidth &* lanes }

  mutating func run(rows range: Range<Int>, panels: Range<Int>) {
    // A block of rows stays in the second-level cache while all panels pass over it.
    let tile = Rows.tileHeight(Rows.panelWidth)
    let resident = ceilDivide(max(96, 131_072 / max(1, rows.taps &* depth)), tile) &* tile
    let room = min(rows.blockLimit / tile &* tile, resident)
    // Blocks after which addresses repeat need them only once, if all strips are cut into the same tiles.
    let isEven = panels.count == 1 || n % Self.columns == 0 || b.isGrouped
    let unit = isEven && rows.period > 1 && rows.period <= room ? rows.period : tile
    let limit = max(unit, room / unit &* unit)
    // Blocks of about the same height: a low one would be done before the next panel is there.
    var blocks = max(1, ceilDivide(range.count, limit))
    // A few more that are all as high have the same addresses.
    if unit > tile, range.count % unit == 0 {
      let units = range.count / unit
      for more in blocks...blocks &+ blocks / 2 where units % more == 0 {
        blocks = more
        break
      }
    }
    let height = ceilDivide(ceilDivide(range.count, blocks), unit) &* unit
    var row = range.lowerBound
    while row < range.upperBound {
      let count = min(height, range.upperBound &- row)
      let isLast = row &+ count == range.upperBound
      runBlock(row: row, count: count, panels: panels, after: isLast ? after : start(panels.lowerBound))
      row = row &+ count
    }
  }

  private mutating func runBlock(row: Int, count: Int, panels: Range<Int>, after: Source?) {
    if case .groups(let columns, let floats) = b.layout {
      runGroups(panels, row: row, count: count, columns: columns, floats: floats, after: after)
      return
    }
    let whole = min(panels.upperBound, n / Self.columns)
    var panel = panels.lowerBound
    if !Rows.arePaired, count == 1, b.isPacked, rows.taps <= rows.tapLimit, panel &+ rowPanels <= whole {
      rows.prepare(row: row, Tiling(1, limit: 1))
      while panel &+ rowPanels <= whole {
        runRow(row, panel: panel)
        panel = panel &+ rowPanels
      }
    }
    if panel < whole {
      let tiling = Tiling(count, limit: Rows.tileHeight(Rows.panelWidth))
      rows.prepare(row: row, tiling)
      while panel < whole {
        var strip = strip(panel, Self.columns)
        panel = panel &+ 1
        if panel == panels.upperBound, let after { strip.next = after }
        run(strip, row: row, tiling)
      }
    }
    guard panel < panels.upperBound, panel &* Self.columns < n else { return }
    var last = strip(panel, n &- panel &* Self.columns)
    if b.isPacked {
      if let after { last.next = after }
      if !last.isInterleaved { last.vectors = ceilDivide(last.width, lanes) }
      run(last, row: row, count: count)
      return
    }
    let covered = last.vectors &* lanes
    if covered > 0 {
      var vectors = last
      vectors.width = covered
      run(vectors, row: row, count: count)
    }
    if covered < last.width {
      last.column = last.column &+ covered
      last.width = last.width &- covered
      last.b += covered
      last.vectors = 1
      last.isPartial = true
      run(last, row: row, count: count)
    }
  }

  /// Groups under the same windows: the addresses of their rows differ by as much as their channels do.
  private mutating func runGroups(
    _ groups: Range<Int>, row: Int, count: Int, columns: Int, floats: Int, after: Source?
  ) {
    let isInterleaved = b.interleaved > 0, vectors = isInterleaved ? b.interleaved : ceilDivide(columns, lanes)
    let tiling = Self.tiling(count, vectors, isInterleaved: isInterleaved)
    rows.prepare(row: row, tiling)
    for group in groups {
      rows.groupShift = group &* depth
      let weights = b.base + group &* floats
      let next = group &+ 1 < groups.upperBound ? weights + floats : after ?? weights
      run(
        Strip(
          column: group &* columns, width: columns, vectors: vectors, isInterleaved: isInterleaved, isPartial: false,
          b: weights, bStep: vectors &* (isInterleaved ? 8 : lanes), next: next),
        row: row, tiling)
    }
  }

  /// Where a panel of a packed B starts.
  private func start(_ panel: Int) -> Source? {
    if case .groups(_, let floats) = b.layout { return b.base + panel &* floats }
    return b.isPacked ? strip(panel, min(Self.columns, n &- panel &* Self.columns)).b : nil
  }

  /// The strip of a panel, with as many vectors as it has whole ones.
  private func strip(_ panel: Int, _ width: Int) -> Strip {
    let column = panel &* Self.columns
    var strip = Strip(
      column: column, width: width, vectors: width / lanes, isPartial: false, b: b.base, bStep: 0, next: b.base)
    switch b.layout {
    case .plain(let stride):
      strip.b += column
      strip.bStep = stride
      strip.next = strip.b
    case .packed(let columns, let first, let others):
      let size = rows.taps &* depth &+ others
      strip.isInterleaved = b.interleaved > 0 && columns &- column < Self.columns
      if strip.isInterleaved {
        (strip.vectors, strip.bStep) = (b.interleaved, b.interleaved &* 8)
      } else {
        strip.bStep = ceilDivide(min(Self.columns, columns &- column), lanes) &* lanes
      }
      strip.b += column &* size &+ first &* strip.bStep
      strip.next = column &+ width < n ? strip.b + width &* size : strip.b
    case .groups: break
    }
    return strip
  }

  /// Runs a strip that needs tiles of its own height.
  private mutating func run(_ strip: Strip, row: Int, count: Int) {
    let tiling =
      strip.isPartial ? Tiling(count, limit: 4) : Self.tiling(count, strip.vectors, isInterleaved: strip.isInterleaved)
    rows.prepare(row: row, tiling)
    run(strip, row: row, tiling)
  }

  /// Over interleaved rows there are tiles of few heights: all but the last one are as high as can be.
  @inline(__always)
  private static func tiling(_ count: Int, _ vectors: Int, isInterleaved: Bool) -> Tiling {
    #if DL_AVX512
      if isInterleaved {
        return Tiling(count, limit: interleavedTileRows(vectors), unit: interleavedTileRows(vectors))
      }
    #endif
    return Tiling(count, limit: Rows.tileHeight(vectors))
  }

  /// Runs a strip in as many parts as it takes for one of them, and the next on its way, to stay in the second-level
  /// cache from tile to tile.
  private mutating func run(_ strip: Strip, row: Int, _ tiling: Tiling) {
    // Sums wait in C, where what is added last might still be.
    let canWait = (epilogue.isFree || epilogue.source.addend == nil) && rows.taps <= rows.tapLimit
    let tapBytes = depth &* strip.bStep &* 4
    let limit = canWait && tiling.tiles > 2 && !Rows.arePaired ? max(1, partBytes / max(1, tapBytes)) : rows.taps
    let parts = Tiling(rows.taps, limit: limit)
    var part = strip, tap = 0
    for index in 0..<parts.tiles {
      let taps = tap..<tap &+ parts.rows(index)
      part.b = strip.b + tap &* depth &* strip.bStep
      part.next = taps.upperBound == rows.taps ? strip.next : part.b + taps.count &* depth &* strip.bStep
      run(part, taps: taps, row: row, tiling)
      tap = taps.upperBound
    }
  }

  /// - Parameter strip: of these taps only.
  private mutating func run(_ strip: Strip, taps: Range<Int>, row: Int, _ tiling: Tiling) {
    let stored = strip.results &* lanes
    let begins = taps.lowerBound == 0, ends = taps.upperBound == rows.taps, isFree = epilogue.isFree
    let storesToC = isFree || !ends
    let addend = isFree ? epilogue.source.addend : nil
    let addendStride = Int(epilogue.source.addend_row_stride)
    let room = scratch.tile
    let startsAtZero = Rows.arePaired || (begins && addend == nil)
    let bias = (begins ? bias(strip) : nil) ?? (startsAtZero ? dlk_zeros() : dlk_negative_zeros())
    var prefetch = UnsafeRawPointer(strip.next)
    // Rounded up: what is left out at a panel's end would be waited for.
    let prefetchStep =
      strip.next == strip.b ? 0 : ceilDivide((strip.isInterleaved ? strip.bStep : stored) &* 4, tiling.tiles)

    let isWhole = rows.taps <= rows.tapLimit
    let joins = isWhole && rows.joinsTiles
    // Tiles of one vector leave it to this loop to fetch the next strip: a little at a time, which memory can follow.
    let tileFetch = prefetchStep &* taps.count &* depth
    let limit = strip.vectors == 1 && tileFetch > 0 ? max(1, fetchedBytes / tileFetch) : Int.max
    var tile = Tile(
      rows: rows.tile(row: row, count: 0, offset: 0, taps: 0..<0), taps: taps.count, depth: depth, b: strip.b,
      bStep: strip.bStep, lastColumns: strip.lastColumns, c: room, cStride: stored, bias: bias,
      addend: nil, addendStride: begins ? addendStride : cStride, clamp: isFree && epilogue.clamps && ends,
      low: epilogue.low, high: epilogue.high, prefetch: prefetch, prefetchStep: prefetchStep)
    // Rows that no panel has passed over yet come from farther off; the second-level cache has the others, what one
    // group brings is what the next one reads too, and rows nearer than a line are in lines that are there already.
    tile.fetched = !b.isGrouped && rows.distance >= 16 && depth <= (strip.column == 0 ? 256 : 128) ? depth : 0
    tile.fetchesAddend = fetchesAddend && addend != nil
    var index = 0, offset = 0
    while index < tiling.tiles {
      let first = row &+ offset, count = tiling.rows(index), rest = runs.rest(first)
      let place = c + (runs.place(first, cStride) &+ strip.column)
      // A tile whose rows are not one run of C passes through the scratch memory.
      let isCut = count > rest
      (tile.c, tile.cStride) = storesToC && !isCut ? (place, cStride) : (room, stored)
      if !begins {
        (tile.addend, tile.addendStride) = (Source(place), cStride)
        if isCut {
          forEachRun(first, count, strip) { rows, place in
            for i in 0..<rows.count {
              forEachVector(strip.width) { at, count in
                dlk_store(
                  room + ((rows.lowerBound &+ i) &* stored &+ at), dlk_load_partial(place + (i &* cStride &+ at), count)
                )
              }
            }
          }
          (tile.addend, tile.addendStride) = (Source(room), stored)
        }
      } else if let addend {
        tile.addend = addend + (first &* addendStride &+ strip.column)
      }
      tile.prefetch = prefetch
      tile.shift = rows.shift(row: first)
      tile.step = count &* rows.distance
      tile.listStep = rows.listStep(count: count)
      let live = rows.live(row: first, count: count), isLive = isWhole && live.count == rows.taps
      // An activation takes as long to begin as a low tile to be made: it passes over several in the scratch memory at once.
      let held = storesToC ? limit : min(limit, max(1, DriverScratch.tileFloats / (count &* stored)))
      let most = min(held, max(1, rest / count))
      tile.tiles = joins && isLive ? alike(tiling, from: index, row: first, count: count, limit: most) : 1
      let done = count &* tile.tiles
      if fetchesAddend, !isFree || Rows.arePaired {
        fetchAddend(first &+ done, min(done, tiling.count &- offset &- done), strip)
      }
      let fetched = tileFetch &* tile.tiles
      if strip.vectors == 1, !Rows.arePaired { fetchRun(prefetch, fetched) }
      if isLive {
        tile.rows = rows.tile(row: first, count: count, offset: offset, taps: taps)
        (tile.factors, tile.rowStride) = (rows.factors(offset: offset), rows.rowStride)
        run(&tile, strip, rows: count)
      } else {
        let lower = max(live.lowerBound, taps.lowerBound), upper = max(lower, min(live.upperBound, taps.upperBound))
        runInParts(tile, strip, from: taps.lowerBound, row: first, rows: count, offset: offset, taps: lower..<upper)
      }
      if isCut || !storesToC {
        let finishing = storesToC ? Epilogue.none : epilogue
        forEachRun(first, done, strip) { rows, place in
          finishing.finish(
            room + rows.lowerBound &* stored, width: stored, rows: rows.count, row: first &+ rows.lowerBound,
            column: strip.column, columns: strip.width, c: place, cStride: cStride)
        }
      }
      prefetch += fetched
      offset = offset &+ done
      index = index &+ tile.tiles
    }
  }

  /// How many tiles from one on, under which no tap is left out, have as many rows, and no tap to be left out either.
  @inline(__always)
  private func alike(_ tiling: Tiling, from index: Int, row: Int, count: Int, limit: Int) -> Int {
    let limit = min(limit, tiling.alike(index))
    var tiles = 1
    while tiles < limit, rows.live(row: row &+ tiles &* count, count: count).count == rows.taps { tiles = tiles &+ 1 }
    return tiles
  }

  /// Calls `body` with the rows of a tile that lie in one run of C, counted from its first, and where they lie.
  @inline(__always)
  private func forEachRun(_ row: Int, _ count: Int, _ strip: Strip, _ body: (Range<Int>, Target) -> Void) {
    var at = 0
    while at < count {
      let end = at &+ min(count &- at, runs.rest(row &+ at))
      body(at..<end, c + (runs.place(row &+ at, cStride) &+ strip.column))
      at = end
    }
  }

  /// Brings a run of memory into the second-level cache.
  private func fetchRun(_ start: UnsafeRawPointer, _ size: Int) {
    var at = 0
    while at < size {
      dlk_prefetch_l2(start + at)
      at = at &+ 64
    }
  }

  /// Brings what is added to a tile into the cache, as `MicroKernel` does where it adds it: its rows lie too far apart for
  /// the hardware to see where they lead.
  private func fetchAddend(_ row: Int, _ rows: Int, _ strip: Strip) {
    guard let addend = epilogue.source.addend else { return }
    var line = addend + (row &* Int(epilogue.source.addend_row_stride) &+ strip.column)
    for _ in 0..<rows {
      var at = 0
      while at < strip.width {
        dlk_prefetch(line + at)
        at = at &+ 16
      }
      line += Int(epilogue.source.addend_row_stride)
    }
  }

  @inline(__always) private func run(_ tile: inout Tile, _ strip: Strip, rows count: Int) {
    #if DL_AVX512
      if strip.isInterleaved { return runInterleavedTile(&tile, rows: count, vectors: strip.vectors) }
    #endif
    if strip.isPartial {
      runPartialTile(&tile, rows: count)
    } else {
      rows.multiply(&tile, rows: count, vectors: strip.vectors)
    }
  }

  /// A tile of some taps only, or of more than have addresses at once.
  ///
  /// - Parameter first: the tap at which the strip starts.
  private mutating func runInParts(
    _ whole: Tile, _ strip: Strip, from first: Int, row: Int, rows count: Int, offset: Int, taps: Range<Int>
  ) {
    var tile = whole
    var tap = taps.lowerBound
    tile.b += (tap &- first) &* depth &* strip.bStep
    repeat {
      tile.taps = min(rows.tapLimit, taps.upperBound &- tap)
      tile.rows = rows.tile(row: row, count: count, offset: offset, taps: tap..<tap &+ tile.taps)
      tap = tap &+ tile.taps
      tile.clamp = whole.clamp && tap == taps.upperBound
      run(&tile, strip, rows: count)
      // More taps go on from the sums so far.
      (tile.bias, tile.addend, tile.addendStride) = (dlk_negative_zeros(), Source(tile.c), tile.cStride)
      tile.b += tile.taps &* depth &* strip.bStep
    } while tap < taps.upperBound
  }

  /// One row over the next `rowPanels` whole panels.
  private mutating func runRow(_ row: Int, panel: Int) {
    let column = panel &* Self.columns, width = rowPanels &* Self.columns, start = strip(panel, Self.columns)
    let place = c + (runs.place(row, cStride) &+ column)
    let room = scratch.tile, isFree = epilogue.isFree
    let bias = epilogue.startsAtBias ? epilogue.source.bias.map { $0 + column } : nil
    let addend =
      isFree ? epilogue.source.addend.map { $0 + (row &* Int(epilogue.source.addend_row_stride) &+ column) } : nil
    var tile = Tile(
      rows: rows.tile(row: row, count: 1, offset: 0, taps: 0..<rows.taps), shift: rows.shift(row: row),
      taps: rows.taps, depth: depth, b: start.b, bStep: Self.columns, lastColumns: lanes, c: isFree ? place : room,
      cStride: width, bias: bias ?? (addend == nil ? dlk_zeros() : dlk_negative_zeros()), addend: addend,
      addendStride: 0, clamp: isFree && epilogue.clamps, low: epilogue.low, high: epilogue.high,
      prefetch: UnsafeRawPointer(b.base), prefetchStep: 0)
    runRowTile(&tile, panelStride: strip(panel &+ 1, Self.columns).b - start.b)
    if !isFree {
      epilogue.finish(room, width: width, rows: 1, row: row, column: column, columns: width, c: place, cStride: cStride)
    }
  }

  /// The bias under a strip, readable in whole vectors unless the strip is partial.
  private func bias(_ strip: Strip) -> Source? {
    guard epilogue.startsAtBias, let bias = epilogue.source.bias else { return nil }
    if strip.isPartial || strip.width == strip.results &* lanes { return bias + strip.column }
    for i in 0..<strip.width { scratch.bias[i] = bias[strip.column &+ i] }
    return Source(scratch.bias)
  }
}
