import CKernelSupport

/// ONNX Sqrt (1–13): the square root of x; NaN below 0.
package struct Sqrt: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Sqrt", versions: [1, 6, 13])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SQRT) }

  package func apply(_ x: Double) -> Double { x.squareRoot() }
}
