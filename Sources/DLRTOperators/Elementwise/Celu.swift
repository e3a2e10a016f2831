import CKernelSupport

/// ONNX Celu (12–28): x, or alpha · (e^(x / alpha) − 1) below 0.
package struct Celu: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Celu", versions: [12, 28])

  private let alpha: Float

  package init(_ attributes: inout AttributeReader) throws {
    alpha = try attributes.float("alpha", default: 1)
  }

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_CELU, alpha) }

  package func apply(_ x: Double) -> Double { x < 0 ? Double(alpha) * Double.expm1(x / Double(alpha)) : x }
}
