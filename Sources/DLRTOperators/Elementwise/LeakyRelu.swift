import CKernelSupport

/// ONNX LeakyRelu (1–16): x, or alpha · x below 0.
package struct LeakyRelu: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("LeakyRelu", versions: [1, 6, 16])

  private let alpha: Float

  package init(_ attributes: inout AttributeReader) throws {
    alpha = try attributes.float("alpha", default: 0.01)
  }

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_LEAKY_RELU, alpha) }

  package func apply(_ x: Double) -> Double { x < 0 ? Double(alpha) * x : x }
}
