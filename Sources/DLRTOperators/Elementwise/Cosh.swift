import CKernelSupport

/// ONNX Cosh (9–22): the hyperbolic cosine of x.
package struct Cosh: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Cosh", versions: [9, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_COSH) }

  package func apply(_ x: Double) -> Double { Double.cosh(x) }
}
