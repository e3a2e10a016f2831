import DLRTGraph

/// dlrt's QLinearConv with channels last: x and y are `[N, spatial…, C]`, w is as in ONNX. With `channels_first` x alone
/// is `[N, C, spatial…]`. Up to three spatial axes.
package struct QLinearConvNHWC: Operator {
  package static let schema = QLinearConv.quantizedSchema(
    "QLinearConvNHWC", domain: OperatorName.internalDomain, versions: [1])

  private let attributes: ConvolutionAttributes
  private let isInputChannelsFirst: Bool

  package init(_ attributes: inout AttributeReader) throws {
    self.attributes = try ConvolutionAttributes(&attributes)
    isInputChannelsFirst = try attributes.flag("channels_first")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(7)
    inference.setType(0, type)
    let given = try inference.shape(0)
    let input = isInputChannelsFirst ? given : given.channelsFirst
    let output = try attributes.output(input, try inference.shape(3), inference, x: 0, w: 3, bias: 8)
    try ByteConvolution.checkQuantization(inference, channels: output[1])
    inference.set(0, type, output.channelsLast)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let problem = try attributes.problem(
      x: isInputChannelsFirst ? shape : shape.channelsFirst, w: planning.shape(3))
    return try ByteConvolution(problem, planning, .quantized, xLast: !isInputChannelsFirst, yLast: true).step(planning)
  }
}
