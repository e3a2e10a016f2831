import CKernelSupport

/// The pixels under a convolution's window, as rows of a product.
struct WindowRows: ProductRows {
  /// Addresses that fit into `addresses`, beside the end of a vector of them.
  static var capacity: Int { 1024 }
  /// Taps of which a tile has all addresses at once.
  static var mostTaps: Int { capacity / 16 }

  let x: Source
  let pixels: dlk_pixels
  let window: dlk_window
  let padding: Source
  /// Taps across a row of the window: one where a row is a single run of memory.
  let tapsAcross: Int
  let addresses: UnsafeMutablePointer<Source>
  /// Floats from a window's first pixel to each tap's; taps beyond `tapLimit` have none.
  let offsets: UnsafeMutablePointer<Int>
  /// The output columns whose windows lie inside the image across.
  let whole: Range<Int>
  /// Where `addresses` holds whole blocks, tile by tile; else a tile's taps are found when they are asked for.
  let keepsBlocks: Bool
  /// Some window may reach beyond the image.
  let hasPadding: Bool
  var groupShift = 0
  /// The block whose addresses `addresses` holds.
  private var keptRow = 0
  private var keptCount = -1
  private var keptTiles = 0
  private var keptUnit = 0
  /// Floats from its rows to those of the block that was prepared last.
  private var blockShift = 0

  var taps: Int { Int(window.kernel_d &* window.kernel_h) &* tapsAcross }
  var tapLimit: Int { Self.mostTaps }
  var blockLimit: Int { keepsBlocks ? Self.capacity / taps : 4096 }

  var distance: Int { Int(window.stride_w &* pixels.pixel_stride) }
  var joinsTiles: Bool { keepsBlocks }
  func listStep(count: Int) -> Int { count &* taps }
  func shift(row: Int) -> Int { groupShift &+ blockShift }
  var period: Int { keepsBlocks && !hasPadding && window.out_d == 1 ? Int(window.out_w) : 1 }

  mutating func prepare(row: Int, _ tiling: Tiling) {
    guard keepsBlocks else { return }
    let isAlike = keptCount == tiling.count && keptTiles == tiling.tiles && keptUnit == tiling.unit
    if period > 1, isAlike, (row &- keptRow) % period == 0 {
      blockShift = (row &- keptRow) / period &* Int(window.stride_h &* pixels.row_stride)
      return
    }
    (keptRow, keptCount, keptTiles, keptUnit, blockShift) = (row, tiling.count, tiling.tiles, tiling.unit, 0)
    var offset = 0
    for tile in 0..<tiling.tiles {
      let count = tiling.rows(tile)
      fill(addresses + offset &* taps, row: row &+ offset, count: count, taps: 0..<taps)
      offset = offset &+ count
    }
  }

  mutating func tile(row: Int, count: Int, offset: Int, taps range: Range<Int>) -> UnsafePointer<Source> {
    if keepsBlocks { return UnsafePointer(addresses + (offset &* taps &+ range.lowerBound &* count)) }
    fill(addresses, row: row, count: count, taps: range)
    return UnsafePointer(addresses)
  }

  init(
    x: Source, pixels: dlk_pixels, window: dlk_window, padding: Source, tapsAcross: Int,
    addresses: UnsafeMutablePointer<Source>, offsets: UnsafeMutablePointer<Int>
  ) {
    (self.x, self.pixels, self.window, self.padding, self.tapsAcross) = (x, pixels, window, padding, tapsAcross)
    (self.addresses, self.offsets) = (addresses, offsets)
    let taps = Int(window.kernel_d &* window.kernel_h) &* tapsAcross
    whole = wholeColumns(window)
    keepsBlocks = taps <= Self.mostTaps
    hasPadding = reachesOut(window)
  }

  /// Between the first and the last tap under which one of the rows has a pixel: of a window that is wide for its
  /// image, as dilated ones are, the others have none for whole tiles.
  @inline(__always)
  func live(row: Int, count: Int) -> Range<Int> { hasPadding && taps > 1 ? overImage(row, count) : 0..<taps }

  private func overImage(_ row: Int, _ count: Int) -> Range<Int> {
    let (outW, outH, last) = (Int(window.out_w), Int(window.out_h), row &+ count &- 1)
    let (line, lastLine) = (row / outW, last / outW)
    let (plane, lastPlane) = window.out_d == 1 ? (0, 0) : (line / outH, lastLine / outH)
    let z = live(
      plane &* Int(window.stride_d) &- Int(window.pad_d), lastPlane &* Int(window.stride_d) &- Int(window.pad_d),
      window.dilation_d, window.kernel_d, window.in_d)
    var first = z.lower &* Int(window.kernel_h), end = z.upper &* Int(window.kernel_h)
    if plane == lastPlane {
      let y = live(
        (line &- plane &* outH) &* Int(window.stride_h) &- Int(window.pad_h),
        (lastLine &- plane &* outH) &* Int(window.stride_h) &- Int(window.pad_h), window.dilation_h, window.kernel_h,
        window.in_h)
      first = first &+ y.lower
      end = end &- Int(window.kernel_h) &+ y.upper
    }
    first = first &* tapsAcross
    end = end &* tapsAcross
    if line == lastLine, tapsAcross > 1 {
      let x = live(
        (row &- line &* outW) &* Int(window.stride_w) &- Int(window.pad_w),
        (last &- line &* outW) &* Int(window.stride_w) &- Int(window.pad_w), window.dilation_w, window.kernel_w,
        window.in_w)
      first = first &+ x.lower
      end = end &- tapsAcross &+ x.upper
    }
    first = max(0, min(first, taps &- 1))
    return first..<max(first &+ 1, end)
  }

  /// The taps along an axis under which a window that starts between two places has a pixel.
  @inline(__always)
  private func live(_ start: Int, _ lastStart: Int, _ dilation: Int64, _ kernel: Int64, _ size: Int64)
    -> (lower: Int, upper: Int)
  {
    let dilation = Int(dilation), room = Int(size) &- 1 &- start
    let lower = lastStart >= 0 ? 0 : ceilDivide(0 &- lastStart, dilation)
    return (lower, room < 0 ? 0 : min(Int(kernel), room / dilation &+ 1))
  }

  /// Fills in `offsets`.
  func measure() {
    let across = Int(window.dilation_w &* pixels.pixel_stride), down = Int(window.dilation_h &* pixels.row_stride)
    let deep = Int(window.dilation_d &* pixels.plane_stride)
    for tap in 0..<min(taps, tapLimit) {
      let line = tap / tapsAcross, plane = line / Int(window.kernel_h)
      offsets[tap] =
        (tap &- line &* tapsAcross) &* across &+ (line &- plane &* Int(window.kernel_h)) &* down &+ plane &* deep
    }
  }

  /// `[tap][row]` for `count` output pixels from `row` on.
  @inline(never)
  func fill(_ target: UnsafeMutablePointer<Source>, row: Int, count: Int, taps range: Range<Int>) {
    let (outW, outH) = (Int(window.out_w), Int(window.out_h))
    var ox = row % outW, oy = row / outW, oz = 0
    if window.out_d > 1 { (oy, oz) = (oy % outH, oy / outH) }
    let isMeasured = range.upperBound <= tapLimit
    let step = Int(window.stride_w &* pixels.pixel_stride)
    let lastH = Int(window.in_h) &- (Int(window.kernel_h) &- 1) &* Int(window.dilation_h)
    let lastD = Int(window.in_d) &- (Int(window.kernel_d) &- 1) &* Int(window.dilation_d)
    var i = 0
    while i < count {
      let left = ox &* Int(window.stride_w) &- Int(window.pad_w)
      let top = oy &* Int(window.stride_h) &- Int(window.pad_h)
      let front = oz &* Int(window.stride_d) &- Int(window.pad_d)
      var place = target + i
      if isMeasured, ox >= whole.lowerBound, ox < whole.upperBound, top >= 0, top < lastH, front >= 0, front < lastD {
        // Neighbours whose windows lie inside the image too.
        let run = min(count &- i, whole.upperBound &- ox)
        let first =
          x + (front &* Int(pixels.plane_stride) &+ top &* Int(pixels.row_stride) &+ left &* Int(pixels.pixel_stride))
        for tap in range {
          var address = first + offsets[tap]
          if run == count, run >= 4 {
            // The last vector reaches into what comes after, which is filled in later.
            var j = 0
            while j < run {
              dlk_store_addresses(place + j, address, 4 &* step)
              address += lanes / 2 &* step
              j = j &+ lanes / 2
            }
          } else {
            for j in 0..<run {
              place[j] = address
              address += step
            }
          }
          place += count
        }
        i = i &+ run
        (ox, oy, oz) = next(ox &+ run &- 1, oy, oz)
        continue
      }
      var kx = range.lowerBound % tapsAcross
      var ky = range.lowerBound / tapsAcross % Int(window.kernel_h)
      var kz = range.lowerBound / tapsAcross / Int(window.kernel_h)
      var left1 = left &+ kx &* Int(window.dilation_w)
      var line = self.line(front, top, kz, ky)
      for _ in range {
        if let line, UInt(bitPattern: left1) < UInt(bitPattern: Int(window.in_w)) {
          place.pointee = line + left1 &* Int(pixels.pixel_stride)
        } else {
          place.pointee = padding
        }
        place += count
        kx = kx &+ 1
        left1 = left1 &+ Int(window.dilation_w)
        if kx == tapsAcross {
          (kx, ky, left1) = (0, ky &+ 1, left)
          if ky == Int(window.kernel_h) { (ky, kz) = (0, kz &+ 1) }
          line = self.line(front, top, kz, ky)
        }
      }
      i = i &+ 1
      (ox, oy, oz) = next(ox, oy, oz)
    }
  }

  @inline(__always) private func next(_ ox: Int, _ oy: Int, _ oz: Int) -> (Int, Int, Int) {
    if ox &+ 1 < Int(window.out_w) { return (ox &+ 1, oy, oz) }
    return oy &+ 1 < Int(window.out_h) ? (0, oy &+ 1, oz) : (0, 0, oz &+ 1)
  }

  /// The image's row under one row of the window, if there is one.
  @inline(__always) func line(_ front: Int, _ top: Int, _ kz: Int, _ ky: Int) -> Source? {
    let z = front &+ kz &* Int(window.dilation_d), y = top &+ ky &* Int(window.dilation_h)
    guard UInt(bitPattern: z) < UInt(bitPattern: Int(window.in_d)),
      UInt(bitPattern: y) < UInt(bitPattern: Int(window.in_h))
    else { return nil }
    return x + (z &* Int(pixels.plane_stride) &+ y &* Int(pixels.row_stride))
  }
}

/// Whether some window of the output reaches beyond the image.
private func reachesOut(_ window: dlk_window) -> Bool {
  func reaches(_ out: Int64, _ stride: Int64, _ kernel: Int64, _ dilation: Int64, _ pad: Int64, _ size: Int64) -> Bool {
    pad > 0 || (out &- 1) &* stride &- pad &+ (kernel &- 1) &* dilation >= size
  }
  return reaches(window.out_d, window.stride_d, window.kernel_d, window.dilation_d, window.pad_d, window.in_d)
    || reaches(window.out_h, window.stride_h, window.kernel_h, window.dilation_h, window.pad_h, window.in_h)
    || reaches(window.out_w, window.stride_w, window.kernel_w, window.dilation_w, window.pad_w, window.in_w)
}

/// The output columns whose windows lie inside the image across.
private func wholeColumns(_ window: dlk_window) -> Range<Int> {
  let stride = Int(window.stride_w), pad = Int(window.pad_w)
  // Where the first window begins, and where the last one may.
  let last = Int(window.in_w) &- (Int(window.kernel_w) &- 1) &* Int(window.dilation_w) &- 1 &+ pad
  let first = max(0, ceilDivide(pad, stride))
  return first..<max(first, last < 0 ? 0 : min(Int(window.out_w), last / stride &+ 1))
}

/// Calls `body` with the pixels under a window and how many elements follow each other under a tap.
@inline(never)
func withWindowRows(
  _ window: dlk_window, _ x: Source, _ pixels: dlk_pixels, channels: Int64, padding: Source,
  joins: Bool = true, _ body: (WindowRows, _ depth: Int) -> Void
) {
  let isRun =
    joins && window.dilation_w == 1 && pixels.pixel_stride == channels && window.pad_w == 0
    && (window.out_w &- 1) &* window.stride_w &+ window.kernel_w <= window.in_w
  let tapsAcross = isRun ? 1 : Int(window.kernel_w)
  let depth = Int(channels) &* (isRun ? Int(window.kernel_w) : 1)
  var addresses = InlineArray<1032, Source> { [padding] _ in padding }
  var offsets = InlineArray<64, Int> { _ in 0 }
  withAddress(of: &addresses) { addresses in
    withAddress(of: &offsets) { offsets in
      let rows = WindowRows(
        x: x, pixels: pixels, window: window, padding: padding, tapsAcross: tapsAcross,
        addresses: addresses.assumingMemoryBound(to: Source.self),
        offsets: offsets.assumingMemoryBound(to: Int.self))
      rows.measure()
      body(rows, depth)
    }
  }
}

/// Cuts a range of output pixels where the distance between neighbours changes. `body` gets each part and what to add
/// to pixel · stride to find a pixel of it.
@inline(never)
func forEachRun(
  of range: Range<Int>, _ window: dlk_window, _ pixels: dlk_pixels, _ body: (Range<Int>, Int) -> Void
) {
  let (width, height) = (Int(window.out_w), Int(window.out_h))
  let stride = Int(pixels.pixel_stride), rowStride = Int(pixels.row_stride), planeStride = Int(pixels.plane_stride)
  let rowsJoin = height == 1 || rowStride == width &* stride
  let planesJoin = window.out_d == 1 || planeStride == height &* width &* stride
  let length = rowsJoin ? (planesJoin ? Int.max : width &* height) : width
  var pixel = range.lowerBound
  while pixel < range.upperBound {
    let first = length == Int.max ? 0 : pixel / length &* length
    let end = length == Int.max ? range.upperBound : min(range.upperBound, first &+ length)
    let row = first / width
    let start = row / height &* planeStride &+ row % height &* rowStride
    body(pixel..<end, start &- first &* stride)
    pixel = end
  }
}
