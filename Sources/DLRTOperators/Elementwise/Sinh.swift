import CKernelSupport

/// ONNX Sinh (9–22): the hyperbolic sine of x.
package struct Sinh: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Sinh", versions: [9, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SINH) }

  package func apply(_ x: Double) -> Double { Double.sinh(x) }
}
