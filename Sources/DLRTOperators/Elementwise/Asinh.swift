import CKernelSupport

/// ONNX Asinh (9–22): the inverse hyperbolic sine of x.
package struct Asinh: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Asinh", versions: [9, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_ASINH) }

  package func apply(_ x: Double) -> Double { Double.asinh(x) }
}
