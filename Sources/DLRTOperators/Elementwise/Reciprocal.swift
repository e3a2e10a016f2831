import CKernelSupport

/// ONNX Reciprocal (1–13): 1 / x.
package struct Reciprocal: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Reciprocal", versions: [1, 6, 13])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_RECIPROCAL) }

  package func apply(_ x: Double) -> Double { 1 / x }
}
