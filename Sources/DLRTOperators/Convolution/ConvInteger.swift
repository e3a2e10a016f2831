import DLRTGraph

/// ONNX ConvInteger (10): the exact int32 convolution of int8 or uint8 tensors less their zero points; the weights' zero
/// point may be one for each output channel.
package struct ConvInteger: Operator {
  package static let schema = OperatorSchema(
    "ConvInteger", versions: [10],
    inputs: [("x", "T1"), ("w", "T2"), ("x_zero_point?", "T1"), ("w_zero_point?", "T2")], outputs: [("y", "T3")],
    types: ["T1": TypeSet(.int8, .uint8), "T2": TypeSet(.int8, .uint8), "T3": .int32])

  package let attributes: ConvolutionAttributes

  package init(_ attributes: inout AttributeReader) throws {
    self.attributes = try ConvolutionAttributes(&attributes)
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .int32)
    let output = try attributes.output(inference, bias: 4)
    try ByteConvolution.checkScalar(inference, 2)
    try ByteConvolution.checkPerChannel(inference, 3, channels: output[1])
    inference.set(0, .int32, output)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let problem = try attributes.problem(x: planning.shape(0), w: planning.shape(1))
    let roles = ByteConvolution.Roles(x: 0, xZero: 2, w: 1, wZero: 3)
    return try ByteConvolution(problem, planning, roles, xLast: false, yLast: false).step(planning)
  }
}
