import CKernelSupport

/// ONNX Sigmoid (1–13): 1 / (1 + e⁻ˣ).
package struct Sigmoid: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Sigmoid", versions: [1, 6, 13])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SIGMOID) }

  package func apply(_ x: Double) -> Double { Double.sigmoid(x) }
}
