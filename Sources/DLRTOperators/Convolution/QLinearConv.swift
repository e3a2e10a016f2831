import DLRTGraph

/// ONNX QLinearConv (10): a convolution of int8 or uint8 tensors with an exact int32 sum and bias, rescaled (halves to
/// even) and saturated to the output's type. Scale and zero point of the weights may be one for each output channel.
package struct QLinearConv: Operator {
  package static let schema = quantizedSchema("QLinearConv", versions: [10])

  static func quantizedSchema(_ name: String, domain: String = "", versions: [Int]) -> OperatorSchema {
    OperatorSchema(
      name, domain: domain, versions: versions,
      inputs: [
        ("x", "T1"), ("x_scale", "F"), ("x_zero_point", "T1"), ("w", "T2"), ("w_scale", "F"), ("w_zero_point", "T2"),
        ("y_scale", "F"), ("y_zero_point", "T3"), ("B?", "T4"),
      ],
      outputs: [("y", "T3")],
      types: [
        "T1": TypeSet(.int8, .uint8), "T2": TypeSet(.int8, .uint8), "T3": TypeSet(.int8, .uint8), "T4": .int32,
        "F": .float32,
      ])
  }

  package let attributes: ConvolutionAttributes

  package init(_ attributes: inout AttributeReader) throws {
    self.attributes = try ConvolutionAttributes(&attributes)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(7)
    inference.setType(0, type)
    let output = try attributes.output(inference, x: 0, w: 3, bias: 8)
    try ByteConvolution.checkQuantization(inference, channels: output[1])
    inference.set(0, type, output)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let problem = try attributes.problem(x: planning.shape(0), w: planning.shape(3))
    return try ByteConvolution(problem, planning, .quantized, xLast: false, yLast: false).step(planning)
  }
}

extension ByteConvolution.Roles {
  /// QLinearConv's inputs.
  static let quantized = ByteConvolution.Roles(
    x: 0, xZero: 2, w: 3, wZero: 5, result: Result(bias: 8, xScale: 1, wScale: 4, scale: 6, zero: 7))
}

extension ByteConvolution {
  /// Checks the scales and zero points of QLinearConv.
  static func checkQuantization(_ inference: borrowing Inference, channels: Dim) throws {
    for index in [1, 2, 6, 7] { try checkScalar(inference, index) }
    for index in [4, 5] { try checkPerChannel(inference, index, channels: channels) }
  }
}
