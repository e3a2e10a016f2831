import DLRTGraph

/// ONNX MatMulInteger (10): the int32 matrix product of 8-bit integers after subtracting zero points, which are
/// scalars, or one per row of A and per column of B. Sums wrap around.
package struct MatMulInteger: Operator {
  package static let schema = OperatorSchema(
    "MatMulInteger", versions: [10],
    inputs: [("A", "T1"), ("B", "T2"), ("a_zero_point?", "T1"), ("b_zero_point?", "T2")], outputs: [("Y", "T3")],
    types: ["T1": TypeSet(.int8, .uint8), "T2": TypeSet(.int8, .uint8)])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .int32)
    inference.set(0, .int32, try inference.matmulShape(0, 1))
    try QuantizedOperand.check(&inference, 2, of: 0, perRow: true)
    try QuantizedOperand.check(&inference, 3, of: 1, perRow: false)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let roles = ByteConvolution.Roles(x: 0, xZero: 2, w: 1, wZero: 3)
    if let step = try ByteProduct.step(planning, roles) { return step }
    let a = QuantizedOperand(planning, 0, zeroPoint: 2, perRow: true)
    let b = QuantizedOperand(planning, 1, zeroPoint: 3, perRow: false)
    let product = try QuantizedProduct(planning, a: a, b: b, bZero: 3)
    return Step(
      kernel: "\(planning.kernels.isa.name)-int16-product", flops: product.flops, workspace: product.workspace,
      skippedInputs: product.skippedInputs
    ) { io in product.run(io, io.output(0, as: Int32.self)) }
  }
}
