import CKernelSupport

/// Rows of the largest tile: with two vectors of sums each they fill the registers.
#if DL_AVX512 || DL_AVX512VNNI
  private var byteTileRows: Int { 6 }
#else
  private var byteTileRows: Int { 4 }
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
  /// Room for the largest tile.
  let sums: UnsafeMutableRawPointer

  private var columns: Int { 2 &* lanes }

  mutating func run(pixels: Range<Int>, panels: Range<Int>) {
    // A block of rows stays in the second-level cache while all panels pass over it.
    let resident = max(96, 131_072 / max(1, rows.taps &* depth))
    let limit = max(byteTileRows, min(rows.blockLimit, resident) / byteTileRows &* byteTileRows)
    var row = pixels.lowerBound
    while row < pixels.upperBound {
      let count = min(limit, pixels.upperBound &- row)
      let tiling = Tiling(count, limit: byteTileRows)
      rows.prepare(row: row, tiling)
      for panel in panels {
        var offset = 0
        for index in 0..<tiling.tiles {
          let height = tiling.rows(index)
          run(height, row: row &+ offset, offset: offset, panel: panel)
          finish(height, row: row &+ offset, column: panel &* columns)
          offset = offset &+ height
        }
      }
      row = row &+ count
    }
  }

  private mutating func run(_ height: Int, row: Int, offset: Int, panel: Int) {
    switch height {
    case 1: tile(Height<1>.self, row, offset, panel)
    case 2: tile(Height<2>.self, row, offset, panel)
    case 3: tile(Height<3>.self, row, offset, panel)
    #if DL_AVX512 || DL_AVX512VNNI
      case 4: tile(Height<4>.self, row, offset, panel)
      case 5: tile(Height<5>.self, row, offset, panel)
      default: tile(Height<6>.self, row, offset, panel)
    #else
      default: tile(Height<4>.self, row, offset, panel)
    #endif
    }
  }

  private enum Height<let rows: Int> {}

  @inline(never)
  private mutating func tile<let height: Int>(_: Height<height>.Type, _ row: Int, _ offset: Int, _ panel: Int) {
    let column = panel &* columns
    let size = 4 &* lanes
    let first = dlk_load_i32(args.start + column), second = dlk_load_i32(args.start + (column &+ lanes))
    var left = InlineArray<height, VI> { _ in first }
    var right = InlineArray<height, VI> { _ in second }
    let flip = epilogue.flip
    var weights: UnsafeRawPointer = args.weights + panel &* Int(args.parts) &* rows.taps &* depth &* 2 &* size
    for _ in 0..<Int(args.parts) {
      var tap = 0
      repeat {
        let count = min(rows.tapLimit, rows.taps &- tap)
        var place = rows.tile(row: row, count: height, offset: offset, taps: tap..<tap &+ count)
        for _ in 0..<count {
          let from = InlineArray<height, UnsafeRawPointer> { i in UnsafeRawPointer(place[i]) }
          var k = 0
          while k < 4 &* depth {
            let low = dlk_load_i32(weights), high = dlk_load_i32(weights + size)
            for i in 0..<height {
              let word = VI(repeating: (from[i] + k).loadUnaligned(as: Int32.self)) ^ flip
              left[i] = dlk_add_quads(left[i], word, low)
              right[i] = dlk_add_quads(right[i], word, high)
            }
            weights += 2 &* size
            k = k &+ 4
          }
          place += height
        }
        tap = tap &+ count
      } while tap < rows.taps
    }
    // The sums of a row side by side.
    for i in 0..<height {
      dlk_store_i32(sums + 2 &* i &* size, left[i])
      dlk_store_i32(sums + (2 &* i &+ 1) &* size, right[i])
    }
  }

  /// Stores the tile that `sums` holds.
  private func finish(_ height: Int, row: Int, column: Int) {
    let size = 4 &* lanes, step = Int(args.y_pixels.pixel_stride)
    for vector in 0..<2 {
      let first = column &+ vector &* lanes, width = min(lanes, Int(args.n) &- first)
      if width <= 0 { break }
      let from = sums + vector &* size
      if let scale = args.scale {
        let factor = dlk_load(scale + first)
        var place = y + (row &* step &+ first)
        for i in 0..<height {
          let bytes = epilogue.byte(dlk_load_i32(from + 2 &* i &* size), factor)
          if width == lanes { dlk_store_i8(place, bytes) } else { dlk_store_i8_partial(place, bytes, width) }
          place += step
        }
      } else {
        for i in 0..<height {
          dlk_store_partial(y + ((row &+ i) &* step &+ first) &* 4, dlk_load(from + 2 &* i &* size), width)
        }
      }
    }
  }
}

/// How sums become bytes, and how x is read.
struct ByteEpilogue {
  /// Turns the first bit of signed bytes around.
  let flip: VI
  private let zero: VI
  private let low: VF
  private let high: VF

  init(_ args: dlk_byte_window_args) {
    flip = VI(repeating: args.is_x_signed != 0 ? Int32(bitPattern: 0x8080_8080) : 0)
    zero = VI(repeating: args.zero)
    let least: Int32 = args.is_y_signed != 0 ? -128 : 0
    low = dlk_to_f32(VI(repeating: least &- args.zero))
    high = dlk_to_f32(VI(repeating: least &+ 255 &- args.zero))
  }

  /// Limits before it rounds, as `quantize` does.
  @inline(__always) func byte(_ sum: VI, _ scale: VF) -> VI {
    dlk_to_i32(dlk_min(dlk_max(dlk_to_f32(sum) * scale, low), high)) &+ zero
  }
}

func convolveBytes(_ args: dlk_byte_window_args, _ pixels: Range<Int>, _ panels: Range<Int>) {
  withWindowRows(
    args.window, args.x.assumingMemoryBound(to: Float.self), args.x_pixels, channels: args.words,
    padding: args.padding.assumingMemoryBound(to: Float.self)
  ) { rows, depth in
    let size = args.scale == nil ? 4 : 1
    var sums = InlineArray<12, VI> { _ in VI() }
    withAddress(of: &sums) { sums in
      forEachRun(of: pixels, args.window, args.y_pixels) { run, offset in
        var driver = ByteDriver(
          rows: rows, depth: depth, args: args, epilogue: ByteEpilogue(args), y: args.y + offset &* size, sums: sums)
        driver.run(pixels: run, panels: panels)
      }
    }
  }
}
