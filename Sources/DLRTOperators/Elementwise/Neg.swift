import CKernelSupport

/// ONNX Neg (1–13): −x, of floats and signed integers; the least integer stays itself.
package struct Neg: NumericUnaryOperator {
  package static let schema = OperatorSchema.unary("Neg", versions: [1, 6, 13], types: [.floats, .signedIntegers])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_NEGATE) }

  @inline(__always)
  package static func apply<T: NumericElement>(_ x: T) -> T { T.negate(x) }
}
