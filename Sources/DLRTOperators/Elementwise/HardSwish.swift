import CKernelSupport

/// ONNX HardSwish (14–22): x · max(0, min(1, x/6 + 1/2)).
package struct HardSwish: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("HardSwish", versions: [14, 22])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_HARD_SWISH) }

  package func apply(_ x: Double) -> Double { x * Double.least(Double.greatest(x / 6 + 0.5, 0), 1) }
}
