import CKernelSupport

/// ONNX Softsign (1–22): x / (1 + |x|).
package struct Softsign: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Softsign", versions: [1, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SOFTSIGN) }

  package func apply(_ x: Double) -> Double { x / (1 + x.magnitude) }
}
