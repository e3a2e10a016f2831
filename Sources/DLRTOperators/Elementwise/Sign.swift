import CKernelSupport

/// ONNX Sign (9–13): −1, 0 or 1 by the sign of x; NaN stays NaN.
package struct Sign: NumericUnaryOperator {
  package static let schema = OperatorSchema.unary(
    "Sign", versions: [9, 13], types: .numeric, input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SIGN) }

  @inline(__always)
  package static func apply<T: NumericElement>(_ x: T) -> T { x > 0 ? 1 : x < 0 ? T.subtract(0, 1) : x.isNaN ? x : 0 }
}
