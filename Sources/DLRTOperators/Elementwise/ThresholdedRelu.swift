import CKernelSupport

/// ONNX ThresholdedRelu (10–22): x above alpha, else 0, also for NaN.
package struct ThresholdedRelu: RealUnaryOperator {
  package static let schema = OperatorSchema.unary("ThresholdedRelu", versions: [10, 22])

  private let alpha: Float

  package init(_ attributes: inout AttributeReader) throws {
    alpha = try attributes.float("alpha", default: 1)
  }

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_THRESHOLDED_RELU, alpha) }

  package func apply(_ x: Double) -> Double { x > Double(alpha) ? x : 0 }
}
