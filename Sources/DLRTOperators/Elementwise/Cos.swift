import CKernelSupport

/// ONNX Cos (7–22): the cosine of x.
package struct Cos: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Cos", versions: [7, 22], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_COS) }

  package func apply(_ x: Double) -> Double { Double.cos(x) }
}
