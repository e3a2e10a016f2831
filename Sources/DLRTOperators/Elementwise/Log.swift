import CKernelSupport

/// ONNX Log (1–13): the natural logarithm of x; NaN below 0.
package struct Log: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("Log", versions: [1, 6, 13], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_LOG) }

  package func apply(_ x: Double) -> Double { Double.log(x) }
}
