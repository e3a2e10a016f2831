/// How a depthwise convolution, or one of small groups, is cut for threads.
struct DepthwiseCut {
  let chunks: Chunks
  private let images, rows, channels: Int
  /// Channels in a part of an image; none where its parts are rows.
  private let unit: Int?

  /// With more taps than these the kernel copies lines on its way down the image: a cut by rows would have it copy some
  /// twice.
  private static let manyTaps = 25

  init(_ problem: ConvolutionProblem) {
    let geometry = problem.geometry, taps = geometry.kernelSize
    (images, rows, channels) = (problem.batch, geometry.outputRows, problem.groups * problem.outputChannels)
    let copiesLines = problem.inputChannels == 1 && taps > Self.manyTaps
    let outputs = Double(geometry.outputSize) * Double(taps * problem.inputChannels)
    if copiesLines, channels > 128 {
      unit = 32
      chunks = Chunks(images * ((channels + 31) / 32), cost: outputs * 32 / 40)
    } else {
      unit = nil
      let height = copiesLines ? 2 * Int(geometry.kernelWindow.kernel_h) : 1
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
