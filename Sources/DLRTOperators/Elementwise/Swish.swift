import CKernelSupport

/// ONNX Swish (24): x / (1 + e^(−alpha · x)).
package struct Swish: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Swish", versions: [24])

  private let alpha: Float

  package init(_ attributes: inout AttributeReader) throws {
    alpha = try attributes.float("alpha", default: 1)
  }

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SILU, alpha) }

  package func apply(_ x: Double) -> Double { x * Double.sigmoid(Double(alpha) * x) }
}
