import DLRTGraph

/// What the transposed convolutions of both layouts share: the window read backwards, and the rule for shapes.
struct TransposedConvolutionAttributes: Sendable {
  private let attributes: ConvolutionAttributes
  private let transposed: TransposedWindow

  var group: Int { attributes.group }

  init(_ attributes: inout AttributeReader) throws {
    self.attributes = try ConvolutionAttributes(&attributes)
    transposed = try TransposedWindow(self.attributes.window, &attributes)
  }

  /// The output `[N, M, spatial…]` of X `[N, C, spatial…]`, W `[C, M / group, kernel…]` and the bias `[M]`.
  func output(_ input: Shape, _ weight: Shape, _ inference: borrowing Inference) throws -> Shape {
    try ConvolutionAttributes.checkRanks(input, weight, inference)
    guard !input[1].provablyDiffers(weight[0]) else {
      throw DLRTError(
        .invalidModel, "channels do not fit the weights", tensor: inference.name(0), expected: "\(weight[0])",
        got: "\(input[1])")
    }
    if let channels = weight[0].value, channels % group != 0 {
      throw DLRTError(
        .invalidModel, "channels are no multiple of the groups", tensor: "group", expected: "a divisor of \(channels)",
        got: "\(group)")
    }
    let outputs = weight[1] * .known(group)
    if inference.has(2) { try inference.checkVectors([2], count: outputs) }
    let kernel = try attributes.kernel(weight, inference.name(1))
    return Shape([input[0], outputs] + (try transposed.output(Array(input.dims.dropFirst(2)), kernel: kernel)))
  }

  /// The convolution in numbers: its geometry is the forward window's, whose input is this operator's output.
  func problem(x: [Int], w: [Int]) throws(DLRTError) -> ConvolutionProblem {
    ConvolutionProblem(
      batch: x[0], groups: group, inputChannels: w[0] / group, outputChannels: w[1],
      geometry: try transposed.geometry(Array(x.dropFirst(2)), kernel: Array(w.dropFirst(2))))
  }
}
