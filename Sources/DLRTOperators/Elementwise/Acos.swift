import CKernelSupport

/// ONNX Acos (7–22): the arc cosine of x.
package struct Acos: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Acos", versions: [7, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_ACOS) }

  package func apply(_ x: Double) -> Double { Double.acos(x) }
}
