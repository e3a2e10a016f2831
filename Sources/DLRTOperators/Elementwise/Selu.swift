import CKernelSupport

/// ONNX Selu (1–22): gamma · x, or gamma · alpha · (eˣ − 1) below 0.
package struct Selu: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Selu", versions: [1, 6, 22])

  private let alpha: Float
  private let gamma: Float

  package init(_ attributes: inout AttributeReader) throws {
    alpha = try attributes.float("alpha", default: 1.67326319217681884765625)
    gamma = try attributes.float("gamma", default: 1.05070102214813232421875)
  }

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SELU, alpha, gamma) }

  package func apply(_ x: Double) -> Double { Double(gamma) * (x < 0 ? Double(alpha) * Double.expm1(x) : x) }
}
