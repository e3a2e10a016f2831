import CKernelSupport

/// Pairs of rows of the largest tile: with two vectors of sums for each row they fill the registers.
#if DL_AVX512
  private var mostPairs: Int { 6 }
#else
  private var mostPairs: Int { 2 }
#endif

/// The loops around the tiles of a convolution of bytes. Words of four channels take the place of floats.
private struct ByteDriver {
  var rows: WindowRows
  /// Words under a tap.
  let depth: Int
  let args: dlk_byte_window_args
  let epilogue: ByteEpilogue
  /// Where pixel 0 goes.
  let y: UnsafeMutableRawPointer

  private var columns: Int { 2 &* lanes }
  private var panelWords: Int { Int(args.parts) &* rows.taps &* depth }

  mutating func run(pixels: Range<Int>, panels: Range<Int>) {
    let most = 2 &* mostPairs
    // A block of rows stays in the second-level cache while all panels pass over it.
    let resident = max(96, 131_072 / max(1, rows.taps &* depth))
    let limit = max(most, min(rows.blockLimit, resident) / most &* most)
    var row = pixels.lowerBound
    while row < pixels.upperBound {
      let count = min(limit, pixels.upperBound &- row)
      let tiling = Tiling(count, limit: most, unit: 2)
      rows.prepare(row: row, tiling)
      // While a panel is multiplied, the next one is fetched, each tile its share.
      let share = 8 &* lanes / tiling.tiles
      for panel in panels {
        var tile = ByteTile(row: row, offset: 0, height: 0, panel: panel, next: args.weights, share: share)
        tile.next += (panel &+ 1) &* panelWords &* 8 &* lanes
        for index in 0..<tiling.tiles {
          tile.height = tiling.rows(index)
          run(tile)
          tile.row = tile.row &+ tile.height
          tile.offset = tile.offset &+ tile.height
          tile.next += share &* panelWords
        }
      }
      row = row &+ count
    }
  }

  private mutating func run(_ tile: ByteTile) {
    switch (tile.height &+ 1) / 2 {
    case 1: run(tile, Pairs<1>.self)
    #if DL_AVX512
      case 2: run(tile, Pairs<2>.self)
      case 3: run(tile, Pairs<3>.self)
      case 4: run(tile, Pairs<4>.self)
      case 5: run(tile, Pairs<5>.self)
      default: run(tile, Pairs<6>.self)
    #else
      default: run(tile, Pairs<2>.self)
    #endif
    }
  }

  private enum Pairs<let count: Int> {}

  /// Of an odd number of rows the last one is computed twice.
  @inline(never)
  private mutating func run<let pairs: Int>(_ tile: ByteTile, _: Pairs<pairs>.Type) {
    let column = tile.panel &* columns, size = 4 &* lanes, last = tile.height &- 1
    let first = dlk_load_i32(args.start + column), second = dlk_load_i32(args.start + (column &+ lanes))
    // Both vectors of a row, then those of the other one.
    var sums = InlineArray<pairs, InlineArray<4, VI>> { _ in [first, second, first, second] }
    let flip = epilogue.flip
    var weights: UnsafeRawPointer = args.weights + tile.panel &* panelWords &* 2 &* size
    var next = tile.next
    let shift = rows.shift(row: tile.row)
    for _ in 0..<Int(args.parts) {
      var tap = 0
      repeat {
        let count = min(rows.tapLimit, rows.taps &- tap)
        var place = rows.tile(row: tile.row, count: tile.height, offset: tile.offset, taps: tap..<tap &+ count)
        for _ in 0..<count {
          let from = InlineArray<pairs, InlineArray<2, UnsafeRawPointer>> { i in
            [
              UnsafeRawPointer(place[2 &* i] + shift),
              UnsafeRawPointer(place[i == pairs - 1 ? last : 2 &* i &+ 1] + shift),
            ]
          }
          var k = 0
          while k < 4 &* depth {
            let low = dlk_load_i32(weights), high = dlk_load_i32(weights + size)
            dlk_prefetch_l2(next)
            next += tile.share
            for i in 0..<pairs {
              for row in 0..<2 {
                let word = VI(repeating: (from[i][row] + k).loadUnaligned(as: Int32.self)) ^ flip
                sums[i][2 &* row] = dlk_add_quads(sums[i][2 &* row], word, low)
                sums[i][2 &* row &+ 1] = dlk_add_quads(sums[i][2 &* row &+ 1], word, high)
              }
            }
            weights += 2 &* size
            k = k &+ 4
          }
          place += tile.height
        }
        tap = tap &+ count
      } while tap < rows.taps
    }

    let width = min(columns, Int(args.n) &- column), step = Int(args.y_pixels.pixel_stride)
    guard let scale = args.scale else {
      var held = sums
      return withAddress(of: &held) { store($0, tile.row, tile.height, column, width) }
    }
    let left = dlk_load(scale + column), right = dlk_load(scale + (column &+ lanes))
    var target: UnsafeMutableRawPointer = y + (tile.row &* step &+ column)
    for i in 0..<pairs {
      let bytes = dlk_sort_halves(epilogue.bytes(sums[i], left, right, left, right))
      dlk_store_low_bytes(target, bytes, width)
      if i < pairs - 1 || last & 1 != 0 { dlk_store_high_bytes(target + step, bytes, width) }
      target += 2 &* step
    }
  }

  /// Stores sums as they are.
  @inline(never)
  private func store(_ sums: UnsafeMutableRawPointer, _ row: Int, _ height: Int, _ column: Int, _ width: Int) {
    for i in 0..<height {
      let target: UnsafeMutableRawPointer = y + ((row &+ i) &* Int(args.y_pixels.pixel_stride) &+ column) &* 4
      target.copyMemory(from: sums + i &* 8 &* lanes, byteCount: width &* 4)
    }
  }
}

/// A few rows by the columns of a panel.
private struct ByteTile {
  var row: Int
  /// Of the first row in its block.
  var offset: Int
  var height: Int
  let panel: Int
  /// What to fetch meanwhile, and how far to go at each word.
  var next: UnsafeRawPointer
  let share: Int
}

/// How sums become bytes, and how x is read.
struct ByteEpilogue {
  /// Turns the first bit of signed bytes around.
  let flip: VI
  private let turn: VI
  private let shift: VI
  private let high: VF

  /// Signed results are made as unsigned ones, 128 more.
  init(_ args: dlk_byte_window_args) {
    let first = Int32(bitPattern: 0x8080_8080), isSigned = args.is_y_signed != 0
    flip = VI(repeating: args.is_x_signed != 0 ? first : 0)
    turn = VI(repeating: isSigned ? first : 0)
    let zero = args.zero &+ (isSigned ? 128 : 0)
    shift = VI(repeating: zero &* 0x1_0001)
    high = dlk_to_f32(VI(repeating: 255 &- zero))
  }

  /// Four lanes of each in turn, within each 16 bytes. Beyond the least byte, and from NaN, the least int32 is what a
  /// float becomes, which the joining limits; what is beyond the greatest is limited before it is rounded.
  @inline(__always)
  func bytes(_ sums: InlineArray<4, VI>, _ a: VF, _ b: VF, _ c: VF, _ d: VF) -> VI {
    dlk_join_bytes(rounded(sums[0], a), rounded(sums[1], b), rounded(sums[2], c), rounded(sums[3], d), shift) ^ turn
  }

  /// `dlk_min` gives its second operand where that is NaN.
  @inline(__always) private func rounded(_ sum: VI, _ scale: VF) -> VI {
    dlk_to_i32(dlk_min(high, dlk_to_f32(sum) * scale))
  }
}

func convolveBytes(_ args: dlk_byte_window_args, _ pixels: Range<Int>, _ panels: Range<Int>) {
  withWindowRows(
    args.window, args.x.assumingMemoryBound(to: Float.self), args.x_pixels, channels: args.words,
    padding: args.padding.assumingMemoryBound(to: Float.self)
  ) { rows, depth in
    let size = args.scale == nil ? 4 : 1
    forEachRun(of: pixels, args.window, args.y_pixels) { run, offset in
      var driver = ByteDriver(
        rows: rows, depth: depth, args: args, epilogue: ByteEpilogue(args), y: args.y + offset &* size)
      driver.run(pixels: run, panels: panels)
    }
  }
}
