import CKernelSupport

/// ONNX Acosh (9–22): the inverse hyperbolic cosine of x.
package struct Acosh: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Acosh", versions: [9, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_ACOSH) }

  package func apply(_ x: Double) -> Double { Double.acosh(x) }
}
