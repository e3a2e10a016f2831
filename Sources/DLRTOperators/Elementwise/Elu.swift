import CKernelSupport

/// ONNX Elu (1–22): x, or alpha · (eˣ − 1) below 0.
package struct Elu: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Elu", versions: [1, 6, 22])

  private let alpha: Float

  package init(_ attributes: inout AttributeReader) throws {
    alpha = try attributes.float("alpha", default: 1)
  }

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_ELU, alpha) }

  package func apply(_ x: Double) -> Double { x < 0 ? Double(alpha) * Double.expm1(x) : x }
}
