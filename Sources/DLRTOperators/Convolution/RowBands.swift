import DLRTGraph

/// The output rows of a window in bands of a few, over a ring of input rows that are made as the window comes to them.
struct RowBands: Sendable {
  /// How the window goes down the image.
  let down: WindowAxis
  let images: Int
  /// Output rows of a band.
  let band: Int
  /// Input rows of the ring: what a band needs, and so many bands' worth that what is new for one does not reach beyond
  /// the ring's end.
  let ring: Int
  /// What threads take at a time, of the output rows counted over all images.
  let parts: Chunks

  /// More rows would spare nothing that is worth their memory.
  private static let highestBand = 16

  /// - Parameters:
  ///   - bytesPerRow: what is made for an output row; a product of sizes that nobody has checked.
  ///   - cacheBytes: what a band may leave in the second-level cache.
  init(_ down: WindowAxis, images: Int, bytesPerRow: Double, cacheBytes: Int, threads: Int) {
    self.down = down
    self.images = images
    let fitting = max(1, min(down.output, Int(Double(cacheBytes) / max(bytesPerRow, 1)), Self.highestBand))
    // Bands of about the same height. Kernels may make rows two at a time.
    let count = (down.output + fitting - 1) / fitting, even = (down.output + count - 1) / count
    band = even == 1 ? 1 : (even + 1) & ~1
    // Windows may be much higher than the image.
    let unit = band * down.stride, span = unit - down.stride + down.extent
    ring = max(1, min((span + unit - 1) / unit * unit, down.input))
    // The rows between two parts are made twice.
    let rows = images * down.output
    let wanted = threads == 1 ? 1 : threads * (down.output >= 16 * threads ? 2 : 1)
    parts = Chunks(rows, parts: min(wanted, rows))
  }

  /// How far a thread has come: who goes on with the next rows finds those above them in its ring.
  struct Reached {
    /// The output row after the last one.
    var row = -1
    /// The next row of the image that is not in the ring.
    var next = 0
  }

  /// Goes through a part's bands.
  ///
  /// - Parameters:
  ///   - make: fills input rows of an image, which are adjacent in the ring; told whether they are the part's last.
  ///   - use: takes output rows of an image, whose input rows are there; told whether they are the part's last.
  func run(
    _ rows: Range<Int>, _ reached: inout Reached, make: (_ image: Int, Range<Int>, Bool) -> Void,
    use: (_ image: Int, Range<Int>, Bool) -> Void
  ) {
    // Bands end where what they need of the image ends with so many rows: what is made for the next one is then one piece
    // of the ring. Where strides lead past it by `lead` rows, the ring's end cuts these off.
    let unit = band &* down.stride, lead = remainder(down.extent &- down.padBegin, down.stride)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let image = row / down.output, first = image &* down.output
      let end = min(rows.upperBound, first &+ down.output)
      var next = reached.row == row && row > first ? reached.next : 0
      while row < end {
        next = max(next, down.start(row &- first))
        let piece = next &- remainder(next &- lead, unit) &+ unit
        let fitting = first &+ (piece &- down.extent &+ down.padBegin) / down.stride &+ 1
        let after = min(end, row &+ band, max(row &+ 1, fitting))
        let needed = min(down.input, down.start(after &- 1 &- first) &+ down.extent)
        while next < needed {
          let count = min(needed &- next, ring &- next % ring)
          make(image, next..<next &+ count, after == rows.upperBound && next &+ count == needed)
          next = next &+ count
        }
        use(image, row &- first..<after &- first, after == rows.upperBound)
        row = after
      }
      reached = Reached(row: row, next: next)
    }
  }
}

/// The least number that is not negative and differs from `value` by a multiple of `divisor`.
private func remainder(_ value: Int, _ divisor: Int) -> Int {
  let rest = value % divisor
  return rest < 0 ? rest &+ divisor : rest
}
