import DLRTGraph

/// com.microsoft QLinearAdd (1): A + B of quantised operands, which broadcast, quantised again.
package struct QLinearAdd: QuantizedBinaryOperator {
  package static let schema = OperatorSchema.quantizedBinary("QLinearAdd")

  package init(_ attributes: inout AttributeReader) throws {}

  package struct Formula: QuantizedFormula {
    private let aRatio: Double
    private let bRatio: Double
    /// What does not depend on the elements.
    private let fixed: Double

    package init(_ scales: InlineArray<3, Float>, _ zeros: InlineArray<3, Float>) {
      let (aRatio, bRatio) = (scales[0] / scales[2], scales[1] / scales[2])
      let shift = Float(Double(zeros[0]) * Double(aRatio) + Double(bRatio * zeros[1]))
      (self.aRatio, self.bRatio) = (Double(aRatio), Double(bRatio))
      fixed = Double(zeros[2] - shift)
    }

    // Products of bytes and ratios are exact in double precision: each sum is rounded once, as by a fused addition.
    @inline(__always)
    package func callAsFunction(_ a: Float, _ b: Float) -> Float {
      Float(Double(a) * aRatio + Double(Float(Double(b) * bRatio + fixed)))
    }
  }
}
