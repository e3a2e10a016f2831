import CKernelSupport

/// ONNX Exp (1–13): e to the power of x.
package struct Exp: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Exp", versions: [1, 6, 13], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_EXP) }

  package func apply(_ x: Double) -> Double { Double.exp(x) }
}
