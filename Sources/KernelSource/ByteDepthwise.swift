import CKernelSupport

/// Each channel by itself, four pixels at a time: a channel's bytes under them are brought together into a word. Four
/// pixels are neighbours in a line of the window, where that makes no more of them than any four taps do.
func depthwiseBytes(_ args: dlk_byte_window_args, _ pixels: Range<Int>) {
  withWindowRows(
    args.window, args.x.assumingMemoryBound(to: Float.self), args.x_pixels, channels: args.words,
    padding: args.padding.assumingMemoryBound(to: Float.self), joins: false
  ) { rows, _ in
    let epilogue = ByteEpilogue(args), size = args.scale == nil ? 4 : 1
    let step = Int(args.y_pixels.pixel_stride) &* size, width = Int(args.window.out_w)
    forEachRun(of: pixels, args.window, args.y_pixels) { run, offset in
      let driver = DepthwiseDriver(rows: rows, args: args, epilogue: epilogue)
      var pixel = run.lowerBound, column = pixel % width, line = pixel / width
      while pixel < run.upperBound {
        let y: UnsafeMutableRawPointer = args.y + (offset &* size &+ pixel &* step)
        let count = min(Int(args.shifts), width &- column, run.upperBound &- pixel)
        if driver.goesByLines {
          driver.gather(line: line, column: column, isFirst: pixel == run.lowerBound)
        } else {
          driver.gather(pixel)
        }
        if args.shifts == 2 {
          driver.run(pixel, count, y, step, Shifts<2>.self)
        } else {
          driver.run(pixel, count, y, step, Shifts<1>.self)
        }
        pixel = pixel &+ count
        column = column &+ count
        if column == width { (line, column) = (line &+ 1, 0) }
      }
    }
  }
}

private enum Shifts<let count: Int> {}

private struct DepthwiseDriver {
  let rows: WindowRows
  let args: dlk_byte_window_args
  let epilogue: ByteEpilogue
  /// Taps beyond which a pixel's places are found part by part.
  private var most: Int { 512 }

  private var places: UnsafeMutablePointer<Source> { rows.addresses }
  private var lines: Int { Int(args.window.kernel_d &* args.window.kernel_h) }
  /// Fours of pixels in a line of the window.
  private var across: Int { Int(args.fours) }
  private var quads: Int { goesByLines ? lines &* across : ceilDivide(rows.taps, 4) }
  var goesByLines: Bool { args.fours > 0 }

  /// The places under the window of an output, or of two neighbours, line by line.
  func gather(line: Int, column: Int, isFirst: Bool) {
    let window = args.window, dilation = Int(window.dilation_w), pixel = dilation &* Int(args.x_pixels.pixel_stride)
    let starts = places + lines &* across &* 4
    if column == 0 || isFirst {
      for number in 0..<lines {
        let (z, y) = (number / Int(window.kernel_h), number % Int(window.kernel_h))
        let found = rows.line(
          line / Int(window.out_h) &* Int(window.stride_d) &- Int(window.pad_d),
          line % Int(window.out_h) &* Int(window.stride_h) &- Int(window.pad_h), z, y)
        starts[number] = found ?? rows.padding
      }
    }
    let left = column &* Int(window.stride_w) &- Int(window.pad_w), count = across &* 4
    let isInside = left >= 0 && left &+ (count &- 1) &* dilation < Int(window.in_w)
    var place = places
    for number in 0..<lines {
      let start = starts[number]
      let step = start == rows.padding ? 0 : pixel
      if isInside {
        var from = start + (step == 0 ? 0 : left &* Int(args.x_pixels.pixel_stride))
        for index in 0..<count {
          place[index] = from
          from += step
        }
      } else {
        for index in 0..<count {
          let x = left &+ index &* dilation
          let isInside = step != 0 && UInt(bitPattern: x) < UInt(bitPattern: Int(window.in_w))
          place[index] = isInside ? start + x &* Int(args.x_pixels.pixel_stride) : rows.padding
        }
      }
      place += count
    }
  }

  /// The places under an output's window, of the last four taps those that there are.
  func gather(_ pixel: Int) {
    if rows.taps <= most { gather(pixel, 0..<rows.taps) }
  }

  private func gather(_ pixel: Int, _ taps: Range<Int>) {
    rows.fill(places, row: pixel, count: 1, taps: taps)
    var index = taps.count
    while index & 3 != 0 {
      places[index] = rows.padding
      index = index &+ 1
    }
  }

  /// All channels of one output, or of two neighbours.
  @inline(never)
  func run<let shifts: Int>(
    _ pixel: Int, _ count: Int, _ y: UnsafeMutableRawPointer, _ step: Int, _: Shifts<shifts>.Type
  ) {
    let size = 4 &* lanes
    let quads = quads, chunk = goesByLines || rows.taps <= most ? quads : most / 4
    var channel = 0
    while channel < Int(args.n) {
      let words = min(lanes, Int(args.words) &- channel / 4)
      var weights: UnsafeRawPointer = args.weights + channel &* Int(args.parts) &* quads &* shifts &* 4
      let start = args.start + channel
      let starts = InlineArray<4, VI> { dlk_load_i32(start + $0 &* lanes) }
      var sums = InlineArray<shifts, InlineArray<4, VI>> { _ in starts }
      for _ in 0..<Int(args.parts) {
        var first = 0
        while first < quads {
          if chunk < quads { gather(pixel, first &* 4..<min(rows.taps, (first &+ chunk) &* 4)) }
          var place = UnsafePointer(places)
          for _ in 0..<min(chunk, quads &- first) {
            let x = InlineArray<4, VI> { i in
              dlk_bits(dlk_load_partial(UnsafeRawPointer(place[i]) + channel, words)) ^ epilogue.flip
            }
            place += 4
            let a = dlk_zip_low_i8(x[0], x[1]), b = dlk_zip_high_i8(x[0], x[1])
            let c = dlk_zip_low_i8(x[2], x[3]), d = dlk_zip_high_i8(x[2], x[3])
            let all: InlineArray<4, VI> = [
              dlk_zip_low_i16(a, c), dlk_zip_high_i16(a, c), dlk_zip_low_i16(b, d), dlk_zip_high_i16(b, d),
            ]
            for shift in 0..<shifts {
              for i in 0..<4 {
                sums[shift][i] = dlk_add_quads(sums[shift][i], all[i], dlk_load_i32(weights + i &* size))
              }
              weights += 4 &* size
            }
          }
          first = first &+ chunk
        }
      }
      let width = min(size, Int(args.n) &- channel)
      if let scale = args.scale.map({ $0 + channel }) {
        let factors = InlineArray<4, VF> { dlk_load(scale + $0 &* lanes) }
        for shift in 0..<shifts where shift < count {
          let bytes = epilogue.bytes(sums[shift], factors[0], factors[1], factors[2], factors[3])
          dlk_store_bytes(y + (shift &* step &+ channel), bytes, width)
        }
      } else {
        var held = sums
        withAddress(of: &held) { held in
          for shift in 0..<count { store(held + shift &* 4 &* size, y + (shift &* step &+ channel &* 4), width) }
        }
      }
      channel = channel &+ size
    }
  }

  /// Brings sums into the order of their channels.
  @inline(never)
  private func store(_ sums: UnsafeMutableRawPointer, _ y: UnsafeMutableRawPointer, _ count: Int) {
    for c in 0..<count {
      let lane = c / 16 &* 4 &+ c % 4, vector = c % 16 / 4
      (y + c &* 4).copyMemory(from: sums + (vector &* lanes &+ lane) &* 4, byteCount: 4)
    }
  }
}
