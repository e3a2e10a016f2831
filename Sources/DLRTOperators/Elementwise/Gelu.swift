import CKernelSupport

/// ONNX Gelu (20): x · Φ(x) with Φ the normal distribution, or its approximation by tanh.
package struct Gelu: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Gelu", versions: [20])

  private enum Approximation: String, CaseIterable {
    case none
    case tanh
  }

  private let approximation: Approximation

  package init(_ attributes: inout AttributeReader) throws {
    approximation = try attributes.choice("approximate", default: .none)
  }

  package var kernel: UnaryKernel? {
    UnaryKernel(approximation == .none ? DLK_UNARY_GELU_ERF : DLK_UNARY_GELU_TANH)
  }

  package func apply(_ x: Double) -> Double {
    switch approximation {
    case .none: 0.5 * x * (1 + Double.erf(x * 0.5.squareRoot()))
    case .tanh: 0.5 * x * (1 + Double.tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    }
  }
}
