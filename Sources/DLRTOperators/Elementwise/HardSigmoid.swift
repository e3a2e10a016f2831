import CKernelSupport

/// ONNX HardSigmoid (1–22): max(0, min(1, alpha · x + beta)).
package struct HardSigmoid: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("HardSigmoid", versions: [1, 6, 22])

  private let alpha: Float
  private let beta: Float

  package init(_ attributes: inout AttributeReader) throws {
    alpha = try attributes.float("alpha", default: 0.2)
    beta = try attributes.float("beta", default: 0.5)
  }

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_HARD_SIGMOID, alpha, beta) }

  package func apply(_ x: Double) -> Double {
    let y = Double(alpha) * x + Double(beta)
    return y < 0 ? 0 : y > 1 ? 1 : y
  }
}
