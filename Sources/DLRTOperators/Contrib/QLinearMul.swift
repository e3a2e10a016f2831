import DLRTGraph

/// com.microsoft QLinearMul (1): A · B of quantised operands, which broadcast, quantised again.
package struct QLinearMul: QuantizedBinaryOperator {
  package static let schema = OperatorSchema.quantizedBinary("QLinearMul")

  package init(_ attributes: inout AttributeReader) throws {}

  package struct Formula: QuantizedFormula {
    private let zeros: InlineArray<3, Float>
    private let ratio: Float

    package init(_ scales: InlineArray<3, Float>, _ zeros: InlineArray<3, Float>) {
      self.zeros = zeros
      ratio = scales[0] * scales[1] / scales[2]
    }

    @inline(__always)
    package func callAsFunction(_ a: Float, _ b: Float) -> Float { (a - zeros[0]) * (b - zeros[1]) * ratio + zeros[2] }
  }
}
