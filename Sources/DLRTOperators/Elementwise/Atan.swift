import CKernelSupport

/// ONNX Atan (7–22): the arc tangent of x.
package struct Atan: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Atan", versions: [7, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_ATAN) }

  package func apply(_ x: Double) -> Double { Double.atan(x) }
}
