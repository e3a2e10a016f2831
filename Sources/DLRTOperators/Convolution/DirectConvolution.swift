import DLRTGraph

/// A convolution of planes by plain loops: tap by tap over rows of the output. It serves float64 and integers, and
/// float32 where each output channel reads few input channels.
struct DirectConvolution<T: NumericElement>: Sendable {
  let problem: ConvolutionProblem
  private let rows: WindowRows
  let chunks: Chunks

  init(_ problem: ConvolutionProblem) {
    self.problem = problem
    rows = WindowRows(problem.geometry)
    let cost = Double(rows.width) * Double(problem.geometry.kernelSize) * Double(problem.inputChannels) * 0.5
    chunks = Chunks(problem.batch &* problem.groups &* problem.outputChannels &* rows.count, cost: cost)
  }

  /// y = x ⋆ w + bias over a part of all rows of all output planes.
  func run(
    _ range: Range<Int>, x: UnsafePointer<T>, w: UnsafePointer<T>, bias: UnsafePointer<T>?,
    y: UnsafeMutablePointer<T>
  ) {
    let geometry = problem.geometry
    let (inputSize, taps) = (geometry.inputSize, geometry.kernelSize)
    let channels = problem.groups &* problem.outputChannels
    for index in range {
      let plane = index / rows.count
      let (image, channel) = (plane / channels, plane % channels)
      let result = y + index &* rows.width
      result.update(repeating: bias?[channel] ?? 0, count: rows.width)
      let group = image &* problem.groups &+ channel / problem.outputChannels
      for inner in 0..<problem.inputChannels {
        let source = x + (group &* problem.inputChannels &+ inner) &* inputSize
        let weights = w + (channel &* problem.inputChannels &+ inner) &* taps
        rows.forEachTap(of: index % rows.count) { start, tap, column in
          accumulate(result, source + start, weights[tap], column)
        }
      }
    }
  }

  @inline(__always)
  private func accumulate(
    _ result: UnsafeMutablePointer<T>, _ source: UnsafePointer<T>, _ weight: T, _ column: WindowRows.Column
  ) {
    if rows.stride == 1 {
      for x in column.lower..<column.upper { result[x] = T.add(result[x], T.multiply(source[x], weight)) }
    } else {
      let stride = rows.stride
      for x in column.lower..<column.upper {
        result[x] = T.add(result[x], T.multiply(source[x &* stride], weight))
      }
    }
  }
}
