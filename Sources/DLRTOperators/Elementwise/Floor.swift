import CKernelSupport

/// ONNX Floor (1–13): x rounded towards −∞.
package struct Floor: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Floor", versions: [1, 6, 13])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_FLOOR) }

  package func apply(_ x: Double) -> Double { x.rounded(.down) }
}
