import Testing

@testable import DLRTOperators

/// What a thread that goes through bands finds in its ring.
@Suite struct RowBandsTests {
  private struct Shape: CustomTestStringConvertible, Sendable {
    var input: Int
    var kernel = 3
    var stride = 1
    var dilation = 1
    var pads = (1, 1)

    var axis: WindowAxis {
      let extent = (kernel - 1) * dilation + 1
      return WindowAxis(
        input: input, output: (input + pads.0 + pads.1 - extent) / stride + 1, kernel: kernel, stride: stride,
        dilation: dilation, padBegin: pads.0, padEnd: pads.1)
    }

    var testDescription: String { "\(input) \(kernel) /\(stride) ×\(dilation) \(pads)" }
  }

  private static let shapes: [Shape] =
    [
      Shape(input: 112), Shape(input: 113, stride: 2), Shape(input: 56, stride: 2, pads: (0, 1)),
      Shape(input: 40, kernel: 5, stride: 2, pads: (2, 2)), Shape(input: 41, kernel: 7, pads: (3, 3)),
      Shape(input: 30, kernel: 1, stride: 3, pads: (0, 0)), Shape(input: 50, kernel: 2, stride: 5, pads: (0, 0)),
      Shape(input: 37, kernel: 3, dilation: 4, pads: (4, 4)), Shape(input: 3, kernel: 9, pads: (8, 8)),
      Shape(input: 1, pads: (1, 1)), Shape(input: 20, kernel: 40, stride: 7, pads: (30, 30)),
    ]
    + (0..<60).map { seed in
      func pick(_ range: ClosedRange<Int>, _ factor: Int) -> Int {
        range.lowerBound + (seed * factor + seed / 7 * 3) % range.count
      }
      let kernel = pick(1...6, 5), dilation = pick(1...3, 11), extent = (kernel - 1) * dilation + 1
      let pads = (pick(0...7, 3), pick(0...7, 13))
      return Shape(
        input: max(pick(1...70, 17), extent - pads.0 - pads.1), kernel: kernel, stride: pick(1...4, 7),
        dilation: dilation, pads: pads)
    }

  /// Every output once and in order; each row of the image under it is the last that was put in its place, by pieces that
  /// do not reach beyond the ring's end.
  @Test(arguments: shapes)
  private func ringsHoldWhatWindowsNeed(_ shape: Shape) {
    let axis = shape.axis
    for (images, rowsPerBand, threads) in [(1, 8, 1), (2, 5, 1), (3, 1, 2), (1, 3, 4), (2, 2, 3)] {
      let bands = RowBands(
        axis, images: images, bytesPerRow: 1000, cacheBytes: 1000 * rowsPerBand, threads: threads)
      var used: [Int] = []
      for part in 0..<bands.parts.count {
        var reached = RowBands.Reached(), ring = [Int](repeating: -1, count: bands.ring)
        var makes = 0, lastMake: Int?, makesBefore = 0
        bands.run(bands.parts[part], &reached) { image, rows, isLast in
          #expect(!rows.isEmpty && rows.lowerBound >= 0 && rows.upperBound <= axis.input)
          #expect(rows.lowerBound % bands.ring + rows.count <= bands.ring)
          for row in rows { ring[row % bands.ring] = image * axis.input + row }
          makes += 1
          if isLast { lastMake = makes }
        } use: { image, rows, isLast in
          #expect(!rows.isEmpty && rows.count <= bands.band)
          for row in rows {
            for tap in axis.taps(row) {
              let needed = axis.start(row) + tap * axis.dilation
              #expect(ring[needed % bands.ring] == image * axis.input + needed)
            }
            used.append(image * axis.output + row)
          }
          #expect(isLast == (image * axis.output + rows.upperBound == bands.parts[part].upperBound))
          // The last piece is one for the last band, if that needs any.
          if isLast { #expect(lastMake == (makes > makesBefore ? makes : nil)) }
          makesBefore = makes
        }
      }
      #expect(used == Array(0..<images * axis.output))
    }
  }

  /// Once a part is under way each band's rows are made at once.
  @Test func bandsNeedOnePiece() {
    for shape in [Shape(input: 112), Shape(input: 112, stride: 2), Shape(input: 57, kernel: 5, pads: (2, 2))] {
      let bands = RowBands(shape.axis, images: 1, bytesPerRow: 1, cacheBytes: 1 << 20, threads: 1)
      var pieces = 0, uses = 0, reached = RowBands.Reached()
      bands.run(bands.parts[0], &reached) { _, _, _ in
        pieces += 1
      } use: { _, _, _ in
        uses += 1
      }
      #expect(pieces <= uses && uses <= shape.axis.output / bands.band + 2)
    }
  }
}
