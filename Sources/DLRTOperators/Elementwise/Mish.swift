import CKernelSupport

/// ONNX Mish (18–22): x · tanh(ln(1 + eˣ)).
package struct Mish: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Mish", versions: [18, 22])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_MISH) }

  package func apply(_ x: Double) -> Double { x * Double.tanh(Double.softplus(x)) }
}
