import CKernelSupport

/// ONNX Ceil (1–13): x rounded towards +∞.
package struct Ceil: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Ceil", versions: [1, 6, 13])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_CEIL) }

  package func apply(_ x: Double) -> Double { x.rounded(.up) }
}
