import CKernelSupport

/// Each channel by itself, four taps at a time: the bytes of a channel under them are brought together into a word.
func depthwiseBytes(_ args: dlk_byte_window_args, _ pixels: Range<Int>) {
  withWindowRows(
    args.window, args.x.assumingMemoryBound(to: Float.self), args.x_pixels, channels: args.words,
    padding: args.padding.assumingMemoryBound(to: Float.self), joins: false
  ) { rows, _ in
    let epilogue = ByteEpilogue(args)
    var rows = rows
    let step = Int(args.y_pixels.pixel_stride) &* (args.scale == nil ? 4 : 1)
    let limit = rows.blockLimit
    forEachRun(of: pixels, args.window, args.y_pixels) { run, offset in
      let y: UnsafeMutableRawPointer = args.y + offset &* (args.scale == nil ? 4 : 1)
      var row = run.lowerBound
      while row < run.upperBound {
        let count = min(limit, run.upperBound &- row)
        let tiling = Tiling(count, limit: 16)
        rows.prepare(row: row, tiling)
        var offset = 0
        for index in 0..<tiling.tiles {
          let height = tiling.rows(index)
          var channel = 0
          while channel < Int(args.n) {
            for i in 0..<height {
              pixel(args, &rows, epilogue, channel, row &+ offset, height, offset, i, y + (row &+ offset &+ i) &* step)
            }
            channel = channel &+ 4 &* lanes
          }
          offset = offset &+ height
        }
        row = row &+ count
      }
    }
  }
}

/// A block of channels of one pixel out of a tile of `height`.
@inline(never)
private func pixel(
  _ args: dlk_byte_window_args, _ rows: inout WindowRows, _ epilogue: ByteEpilogue, _ channel: Int, _ row: Int,
  _ height: Int, _ offset: Int, _ i: Int, _ y: UnsafeMutableRawPointer
) {
  let size = 4 &* lanes
  let words = min(lanes, Int(args.words) &- channel / 4)
  var weights: UnsafeRawPointer = args.weights + channel &* Int(args.parts) &* ceilDivide(rows.taps, 4) &* 4
  let start = args.start + channel
  var sums = InlineArray<4, VI> { i in dlk_load_i32(start + i &* lanes) }
  // Beyond that many taps each pixel's are found by themselves.
  let isShared = rows.taps <= rows.tapLimit
  let step = isShared ? height : 1
  for _ in 0..<Int(args.parts) {
    var tap = 0
    repeat {
      let last = min(rows.tapLimit, rows.taps &- tap) &- 1
      let place =
        isShared
        ? rows.tile(row: row, count: height, offset: offset, taps: 0..<rows.taps) + i
        : rows.tile(row: row &+ i, count: 1, offset: 0, taps: tap..<tap &+ last &+ 1)
      var next = 0
      while next <= last {
        // Taps beyond the last have no weights.
        let x = InlineArray<4, VI> { i in
          let from = UnsafeRawPointer(place[min(next &+ i, last) &* step]) + channel
          return dlk_bits(dlk_load_partial(from, words)) ^ epilogue.flip
        }
        let a = dlk_zip_low_i8(x[0], x[1]), b = dlk_zip_high_i8(x[0], x[1])
        let c = dlk_zip_low_i8(x[2], x[3]), d = dlk_zip_high_i8(x[2], x[3])
        sums[0] = dlk_add_quads(sums[0], dlk_zip_low_i16(a, c), dlk_load_i32(weights))
        sums[1] = dlk_add_quads(sums[1], dlk_zip_high_i16(a, c), dlk_load_i32(weights + size))
        sums[2] = dlk_add_quads(sums[2], dlk_zip_low_i16(b, d), dlk_load_i32(weights + 2 &* size))
        sums[3] = dlk_add_quads(sums[3], dlk_zip_high_i16(b, d), dlk_load_i32(weights + 3 &* size))
        weights += 4 &* size
        next = next &+ 4
      }
      tap = tap &+ last &+ 1
    } while tap < rows.taps
  }
  store(args, &sums, epilogue, channel, y)
}

@inline(__always)
private func store(
  _ args: dlk_byte_window_args, _ sums: inout InlineArray<4, VI>, _ epilogue: ByteEpilogue, _ channel: Int,
  _ y: UnsafeMutableRawPointer
) {
  let size = 4 &* lanes
  let width = min(size, Int(args.n) &- channel)
  guard let scale = args.scale.map({ $0 + channel }) else {
    withAddress(of: &sums) { sums in
      for c in 0..<width {
        let lane = c / 16 &* 4 &+ c % 4, vector = c % 16 / 4
        (y + (channel &+ c) &* 4).copyMemory(from: sums + (vector &* lanes &+ lane) &* 4, byteCount: 4)
      }
    }
    return
  }
  let bytes = dlk_join_bytes(
    epilogue.byte(sums[0], dlk_load(scale)), epilogue.byte(sums[1], dlk_load(scale + lanes)),
    epilogue.byte(sums[2], dlk_load(scale + 2 &* lanes)), epilogue.byte(sums[3], dlk_load(scale + 3 &* lanes)))
  if width == size {
    dlk_store_i32(y + channel, bytes)
  } else {
    var held = bytes
    withAddress(of: &held) { (y + channel).copyMemory(from: $0, byteCount: width) }
  }
}
