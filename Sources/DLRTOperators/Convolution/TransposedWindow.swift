import DLRTGraph

/// The geometry of a transposed convolution: the forward window whose input is this operator's output.
struct TransposedWindow: Sendable {
  private let window: WindowAttributes
  private let outputPadding: [Int]?
  private let outputShape: [Int]?

  init(_ window: WindowAttributes, _ attributes: inout AttributeReader) throws(DLRTError) {
    self.window = window
    outputPadding = try WindowAttributes.sizes("output_padding", least: 0, &attributes)
    outputShape = try WindowAttributes.sizes("output_shape", least: 0, &attributes)
  }

  private func check(axes: Int) throws(DLRTError) {
    try window.check(axes: axes)
    if let outputPadding, outputPadding.count != axes { throw wrongCount("output_padding", axes, outputPadding) }
    // Some exporters list batch and channels too.
    if let outputShape, outputShape.count != axes, outputShape.count != axes + 2 {
      throw wrongCount("output_shape", axes, outputShape)
    }
  }

  private func wrongCount(_ name: String, _ axes: Int, _ got: [Int]) -> DLRTError {
    DLRTError(
      .invalidModel, "attribute does not fit the input's rank", tensor: name, expected: "\(axes) values", got: "\(got)")
  }

  private func fixedOutput(_ axis: Int, _ axes: Int) -> Int? {
    outputShape.map { $0[axis + $0.count - axes] }
  }

  private var isSame: Bool { window.autoPad == .sameUpper || window.autoPad == .sameLower }

  /// The output sizes, with symbols where the input has them.
  func output(_ input: [Dim], kernel: [Dim]) throws(DLRTError) -> [Dim] {
    try check(axes: input.count)
    var result: [Dim] = []
    for axis in input.indices {
      if let fixed = fixedOutput(axis, input.count) {
        result.append(.known(fixed))
      } else if let size = input[axis].value, let taps = kernel[axis].value {
        result.append(.known(try self.axis(axis, of: input.count, input: size, kernel: taps).input))
      } else if isSame {
        result.append(input[axis] * .known(window.stride(axis)))
      } else {
        let pads = window.autoPad == .valid ? (begin: 0, end: 0) : window.pads(axis)
        let fixed = (outputPadding?[axis] ?? 0) + 1 - pads.begin - pads.end - window.stride(axis)
        let extra = (kernel[axis] - 1) * .known(window.dilation(axis)) + .known(fixed)
        result.append(input[axis] * .known(window.stride(axis)) + extra)
      }
    }
    return result
  }

  func geometry(_ input: [Int], kernel: [Int]) throws(DLRTError) -> ConvolutionGeometry {
    try check(axes: input.count)
    var axes: [WindowAxis] = []
    for index in input.indices {
      axes.append(try axis(index, of: input.count, input: input[index], kernel: kernel[index]))
    }
    return ConvolutionGeometry(axes)
  }

  private func axis(_ axis: Int, of axes: Int, input: Int, kernel: Int) throws(DLRTError) -> WindowAxis {
    try WindowAttributes.checkSizes(input: input, kernel: kernel)
    let stride = window.stride(axis)
    let dilation = window.dilation(axis)
    let (reach, overflow) = max(input - 1, 0).multipliedReportingOverflow(by: stride)
    guard !overflow, reach < 1 << 60 else {
      throw DLRTError(.limitExceeded, "spatial size is too large", got: "\(input) × \(stride)")
    }
    let full = reach + (outputPadding?[axis] ?? 0) + (kernel - 1) * dilation + 1
    var (begin, end) = window.pads(axis)
    var output = full - begin - end
    if let fixed = fixedOutput(axis, axes) {
      output = fixed
    } else if input == 0 {
      output = 0
    } else if isSame {
      output = input * stride
    } else if window.autoPad == .valid {
      (begin, end, output) = (0, 0, full)
    }
    if outputShape != nil || isSame {
      // What the output lacks of the full size is cut off at both ends; where it has more, the end stays at the bias.
      let total = max(0, full - output)
      begin = window.autoPad == .sameUpper ? total / 2 : total - total / 2
      end = total - begin
    }
    guard output >= 0 else {
      throw DLRTError(
        .invalidModel, "the padding is larger than the output", tensor: "pads", expected: "at most \(full)",
        got: "\(begin + end)")
    }
    return WindowAxis(
      input: output, output: input, kernel: kernel, stride: stride, dilation: dilation,
      padBegin: begin, padEnd: end)
  }
}
