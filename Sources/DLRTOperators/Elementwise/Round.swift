import CKernelSupport

/// ONNX Round (11–22): x rounded to the nearest integer, halves to even.
package struct Round: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Round", versions: [11, 22])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_ROUND) }

  package func apply(_ x: Double) -> Double { x.rounded(.toNearestOrEven) }
}
