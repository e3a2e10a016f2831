import CKernelSupport

/// The part of a window that lies inside the image, for one or more neighbouring output pixels.
struct WindowPart {
  /// The first pixel under the window of the first output pixel.
  var x: Source
  /// Floats between neighbouring taps, lines and planes under the window.
  let tapStep: Int
  let lineStep: Int
  let planeStep: Int
  let ring: RowRing
  /// Floats between the windows of neighbouring output pixels.
  let pixelStep: Int
  /// Taps inside the image.
  var across: Int
  var lines: Int
  var planes: Int
  /// Where those taps stand in the window.
  var firstAcross: Int
  var firstLine: Int
  var firstPlane: Int
  var y: Target
  let yStep: Int
  /// Output pixels.
  var pixels: Int
}

/// One output row and the lines of the image under its window.
struct WindowRow {
  /// The pixel number 0 of the first of those lines.
  let x: Source
  let tapStep: Int
  let lineStep: Int
  let planeStep: Int
  let ring: RowRing
  let lines: Int
  let planes: Int
  let firstLine: Int
  let firstPlane: Int
  let y: Target
  let yStep: Int
}

/// Where the lines under a window lie when the image is kept in a ring of rows.
struct RowRing {
  /// Lines before the end of the ring.
  let before: Int
  /// Floats in the ring.
  let size: Int

  /// From the first line under the window to another.
  @inline(__always) func offset(_ line: Int, _ step: Int) -> Int {
    line < before ? line &* step : line &* step &- size
  }
}

/// Walks output rows; `tapStep` is the distance between neighbouring pixels times the dilation.
@inline(__always)
func forEachOutputRow(
  _ window: dlk_window, _ x: Source, _ xPixels: dlk_pixels, _ y: Target, _ yPixels: dlk_pixels, _ rows: Range<Int>,
  ring: Int = 0, _ body: (WindowRow) -> Void
) {
  let down = WindowAxis(
    input: window.in_h, kernel: window.kernel_h, stride: window.stride_h, dilation: window.dilation_h, pad: window.pad_h
  )
  let deep = WindowAxis(
    input: window.in_d, kernel: window.kernel_d, stride: window.stride_d, dilation: window.dilation_d, pad: window.pad_d
  )
  let height = Int(window.out_h)
  for row in rows {
    let (oz, oy) = (row / height, row % height)
    let planes = deep.inside(oz), lines = down.inside(oy)
    let front = deep.start(oz) &+ planes.lowerBound &* deep.dilation
    var top = down.start(oy) &+ lines.lowerBound &* down.dilation
    if ring > 0 { top %= ring }
    body(
      WindowRow(
        x: x + (front &* Int(xPixels.plane_stride) &+ top &* Int(xPixels.row_stride)),
        tapStep: Int(window.dilation_w &* xPixels.pixel_stride), lineStep: down.dilation &* Int(xPixels.row_stride),
        planeStep: deep.dilation &* Int(xPixels.plane_stride),
        ring: RowRing(
          before: ring > 0 ? ceilDivide(ring &- top, down.dilation) : Int.max, size: ring &* Int(xPixels.row_stride)),
        lines: lines.count, planes: planes.count,
        firstLine: lines.lowerBound, firstPlane: planes.lowerBound,
        y: y + (oz &* Int(yPixels.plane_stride) &+ oy &* Int(yPixels.row_stride)), yStep: Int(yPixels.pixel_stride)))
  }
}

/// Walks output rows, cutting each into runs of pixels whose windows are cut alike by the image's border.
@inline(__always)
func forEachWindowPart(
  _ window: dlk_window, _ x: Source, _ xPixels: dlk_pixels, _ y: Target, _ yPixels: dlk_pixels, _ rows: Range<Int>,
  ring: Int = 0, _ body: (WindowPart, _ row: Int, _ pixel: Int) -> Void
) {
  let axis = WindowAxis(
    input: window.in_w, kernel: window.kernel_w, stride: window.stride_w, dilation: window.dilation_w, pad: window.pad_w
  )
  let width = Int(window.out_w)
  var number = rows.lowerBound
  forEachOutputRow(window, x, xPixels, y, yPixels, rows, ring: ring) { row in
    var pixel = 0
    while pixel < width {
      let taps = axis.inside(pixel)
      let count = taps.count == axis.kernel ? axis.whole(from: pixel, limit: width) : 1
      let left = axis.start(pixel) &+ taps.lowerBound &* axis.dilation
      let part = WindowPart(
        x: row.x + left &* Int(xPixels.pixel_stride), tapStep: row.tapStep, lineStep: row.lineStep,
        planeStep: row.planeStep, ring: row.ring, pixelStep: axis.stride &* Int(xPixels.pixel_stride),
        across: taps.count,
        lines: row.lines, planes: row.planes, firstAcross: taps.lowerBound, firstLine: row.firstLine,
        firstPlane: row.firstPlane, y: row.y + pixel &* row.yStep, yStep: row.yStep, pixels: count)
      body(part, number, pixel)
      pixel = pixel &+ count
    }
    number = number &+ 1
  }
}

/// One dimension of a window.
struct WindowAxis {
  let input, kernel, stride, dilation, pad: Int

  init(input: Int64, kernel: Int64, stride: Int64, dilation: Int64, pad: Int64) {
    (self.input, self.kernel, self.stride) = (Int(input), Int(kernel), Int(stride))
    (self.dilation, self.pad) = (Int(dilation), Int(pad))
  }

  @inline(__always) func start(_ out: Int) -> Int { out &* stride &- pad }

  /// The taps of an output's window that lie inside the image.
  @inline(__always) func inside(_ out: Int) -> Range<Int> {
    let start = start(out)
    let first = start < 0 ? min(kernel, ceilDivide(-start, dilation)) : 0
    let end = start < input ? min(kernel, (input &- 1 &- start) / dilation &+ 1) : 0
    return first..<max(first, end)
  }

  /// How many outputs from `out` on have the whole window inside the image, `out` being one of them.
  @inline(__always) func whole(from out: Int, limit: Int) -> Int {
    let last = input &- 1 &- (kernel &- 1) &* dilation &+ pad
    return max(1, min(limit, last / stride &+ 1) &- out)
  }
}
