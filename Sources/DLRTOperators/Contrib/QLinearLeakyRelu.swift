import DLRTGraph

/// com.microsoft QLinearLeakyRelu (1): LeakyRelu of a quantised operand, quantised again.
package struct QLinearLeakyRelu: CompositeOperator {
  package static let schema = OperatorSchema.quantizedUnary("QLinearLeakyRelu")

  package static func expand(_ x: inout Expansion) throws {
    let own = x.take(["alpha"])
    try x.quantized { $0.add("LeakyRelu", [$1], own) }
  }
}
