import CKernelSupport

/// ONNX Sin (7–22): the sine of x.
package struct Sin: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Sin", versions: [7, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SIN) }

  package func apply(_ x: Double) -> Double { Double.sin(x) }
}
