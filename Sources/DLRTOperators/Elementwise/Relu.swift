import CKernelSupport

/// ONNX Relu (1–14): max(0, x), of floats and signed integers; NaN stays NaN.
package struct Relu: NumericUnaryOperator {
  package static let schema = OperatorSchema.unary(
    "Relu", versions: [1, 6, 13, 14], types: [.floats, .signedIntegers])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_RELU) }

  @inline(__always)
  package static func apply<T: NumericElement>(_ x: T) -> T { x < 0 ? 0 : x }
}
