import DLRTGraph

/// com.microsoft MatMulIntegerToFloat (1): (A − a_zero) · (B − b_zero) · a_scale · b_scale + bias as float; B's scale and zero
/// point may be one per column.
package struct MatMulIntegerToFloat: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "MatMulIntegerToFloat",
    [
      ("A", "T1"), ("B", "T2"), ("a_scale", "T3"), ("b_scale", "T3"), ("a_zero_point?", "T1"), ("b_zero_point?", "T2"),
      ("bias?", "T3"),
    ],
    [("Y", "T3")], ["T1": TypeSet(.int8, .uint8), "T2": TypeSet(.int8, .uint8), "T3": .float32])

  package static func expand(_ x: inout Expansion) throws {
    let scales = x.add("Mul", [try x.input(2), try x.input(3)])
    let product = x.integerProduct(try x.input(0), try x.input(1), x.optional(4), x.optional(5), scales)
    x.addBias(x.optional(6), to: product)
  }
}
