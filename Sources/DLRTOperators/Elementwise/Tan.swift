import CKernelSupport

/// ONNX Tan (7–22): the tangent of x.
package struct Tan: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Tan", versions: [7, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_TAN) }

  package func apply(_ x: Double) -> Double { Double.tan(x) }
}
