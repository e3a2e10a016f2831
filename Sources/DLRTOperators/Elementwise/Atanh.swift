import CKernelSupport

/// ONNX Atanh (9–22): the inverse hyperbolic tangent of x.
package struct Atanh: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Atanh", versions: [9, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_ATANH) }

  package func apply(_ x: Double) -> Double { Double.atanh(x) }
}
