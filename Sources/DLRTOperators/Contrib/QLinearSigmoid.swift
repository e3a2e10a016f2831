/// com.microsoft QLinearSigmoid (1): Sigmoid of a quantised operand, quantised again.
package struct QLinearSigmoid: CompositeOperator {
  package static let schema = OperatorSchema.quantizedUnary("QLinearSigmoid")

  package static func expand(_ x: inout Expansion) throws { try x.quantized { $0.add("Sigmoid", [$1]) } }
}
