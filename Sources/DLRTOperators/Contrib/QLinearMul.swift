import DLRTGraph

/// com.microsoft QLinearMul (1): A · B of quantised operands, which broadcast, quantised again.
package struct QLinearMul: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "QLinearMul",
    [
      ("A", "T"), ("A_scale", "S"), ("A_zero_point?", "T"), ("B", "T"), ("B_scale", "S"), ("B_zero_point?", "T"),
      ("C_scale", "S"), ("C_zero_point?", "T"),
    ],
    [("C", "T")], ["T": TypeSet(.int8, .uint8), "S": .float32])

  package static func expand(_ x: inout Expansion) throws {
    let a = x.dequantize(try x.input(0), try x.input(1), x.optional(2))
    let b = x.dequantize(try x.input(3), try x.input(4), x.optional(5))
    try x.quantize(x.add("Mul", [a, b]), try x.input(6), x.optional(7), like: try x.input(0))
  }
}
