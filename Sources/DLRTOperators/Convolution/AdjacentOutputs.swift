/// The outputs of a transposed convolution that lie between two inputs across, taken for channels of one pixel, which they
/// are in memory: so a few channels fill a vector, and one convolution without stride makes what would be one for each
/// remainder by the stride.
struct AdjacentOutputs: Sendable {
  /// The transposed convolution of so many more channels.
  let problem: ConvolutionProblem
  /// How many outputs are one.
  let count: Int
  /// Taps and padding across, as the model has them.
  let kernel: Int
  let pad: Int
  /// The furthest input after an output's own place that it reads.
  private let reach: Int

  /// nil where they are not adjacent, or where more is lost by the taps that some of them lack than their number gains.
  ///
  /// - Parameter vector: floats of a vector.
  init?(_ given: ConvolutionProblem, vector: Int) {
    let axes = given.geometry.axes
    guard given.groups == 1, let last = axes.last, last.stride > 1, last.dilation == 1, last.input % last.stride == 0
    else { return nil }
    count = last.stride
    kernel = last.kernel
    pad = last.padBegin
    reach = (last.stride - 1 + last.padBegin) / last.stride
    var (taps, apart) = (0, 0)
    for output in 0..<last.stride {
      let (first, ahead) = ((output + last.padBegin) % last.stride, (output + last.padBegin) / last.stride)
      guard first < last.kernel else { continue }
      let own = (last.kernel - 1 - first) / last.stride + 1
      taps = max(taps, reach - ahead + own)
      apart += own
    }
    func vectors(_ channels: Int) -> Int { (channels + vector - 1) / vector }
    guard taps > 0, taps * vectors(given.outputChannels * count) <= apart * vectors(given.outputChannels) else {
      return nil
    }
    let across = WindowAxis(
      input: last.input / count, output: last.output, kernel: taps, stride: 1, dilation: 1, padBegin: reach, padEnd: 0)
    problem = ConvolutionProblem(
      batch: given.batch, groups: 1, inputChannels: given.inputChannels,
      outputChannels: given.outputChannels * count, geometry: ConvolutionGeometry(axes.dropLast() + [across]))
  }

  /// The model's tap that stands for one of the wider window at one of the outputs, if there is one.
  func tap(_ output: Int, _ tap: Int) -> Int? {
    let place = output + pad
    let own = place % count + count * (tap - reach + place / count)
    return (0..<kernel).contains(own) ? own : nil
  }
}
