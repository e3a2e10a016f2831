import CKernelSupport

/// ONNX Abs (1–13): |x|, of floats and integers; the least integer stays itself.
package struct Abs: NumericUnaryOperator {
  package static let schema = OperatorSchema.unary("Abs", versions: [1, 6, 13], types: .numeric)

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_ABS) }

  @inline(__always)
  package static func apply<T: NumericElement>(_ x: T) -> T { x < 0 ? T.subtract(0, x) : T.add(x, 0) }
}
