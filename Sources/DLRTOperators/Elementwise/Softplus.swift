import CKernelSupport

/// ONNX Softplus (1–22): ln(1 + eˣ).
package struct Softplus: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Softplus", versions: [1, 22])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SOFTPLUS) }

  package func apply(_ x: Double) -> Double { Double.softplus(x) }
}
