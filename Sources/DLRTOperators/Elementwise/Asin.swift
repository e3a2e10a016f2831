import CKernelSupport

/// ONNX Asin (7–22): the arc sine of x.
package struct Asin: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Asin", versions: [7, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_ASIN) }

  package func apply(_ x: Double) -> Double { Double.asin(x) }
}
