import CKernelSupport

/// How a depthwise convolution, or one of small groups, is cut for threads.
struct DepthwiseCut {
  let chunks: Chunks
  private let images, rows, channels: Int
  /// Channels in a part of an image; none where its parts are rows.
  private let unit: Int?

  /// How many times as long as others parts of strips should take: each call clears the room for its copies.
  private static let longer = 5.0

  init(_ problem: ConvolutionProblem) {
    let geometry = problem.geometry, window = geometry.kernelWindow, taps = geometry.kernelSize
    (images, rows, channels) = (problem.batch, geometry.outputRows, problem.groups * problem.outputChannels)
    let outputs = Double(geometry.outputSize) * Double(taps * problem.inputChannels)
    // Most often: some such windows have no room for copies.
    let copiesLines = problem.inputChannels == 1 && taps > Int(DLK_STRIP_TAPS) && window.kernel_d == 1
    let strip = Int(DLK_STRIP_CHANNELS)
    if copiesLines, channels > 2 * strip {
      let units = (channels + strip - 1) / strip
      unit = strip
      chunks = Chunks(images * units, cost: outputs * Double(strip) / 40 / Self.longer)
    } else {
      unit = nil
      let height = copiesLines ? min(2 * Int(window.kernel_h), images * rows / 4) : 1
      chunks = Chunks(
        images * rows, cost: outputs / Double(max(rows, 1)) * Double(channels) / 40, multiple: max(height, 1))
    }
  }

  /// A chunk may end within another image than it begins.
  @inline(__always)
  func forEachPart(_ range: Range<Int>, _ body: (_ image: Int, _ rows: Range<Int>, _ channels: Range<Int>) -> Void) {
    let parts = chunks.total / images
    var first = range.lowerBound
    while first < range.upperBound {
      let image = first / parts, end = min(range.upperBound, (image &+ 1) &* parts)
      let part = first &- image &* parts..<end &- image &* parts
      if let unit {
        body(image, 0..<rows, part.lowerBound &* unit..<min(channels, part.upperBound &* unit))
      } else {
        body(image, part, 0..<channels)
      }
      first = end
    }
  }
}
