import DLRTGraph

/// com.microsoft MatMulIntegerToFloat (1): (A − a_zero) · (B − b_zero) · a_scale · b_scale + bias as float, or as float16
/// where the scales are; B's scale and zero point may be one per column. Computed in float32.
package struct MatMulIntegerToFloat: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "MatMulIntegerToFloat",
    [
      ("A", "T1"), ("B", "T2"), ("a_scale", "T3"), ("b_scale", "T3"), ("a_zero_point?", "T1"), ("b_zero_point?", "T2"),
      ("bias?", "T3"),
    ],
    [("Y", "T3")], ["T1": TypeSet(.int8, .uint8), "T2": TypeSet(.int8, .uint8), "T3": [TypeSet(.float16), .float32]])

  package static func expand(_ x: inout Expansion) throws {
    let type = x.type(try x.input(2))
    var (a, b, bias) = (try x.input(2), try x.input(3), x.optional(6))
    if type != .float32 {
      (a, b, bias) = (x.cast(a, .float32), x.cast(b, .float32), bias.map { x.cast($0, .float32) })
    }
    let scales = x.add("Mul", [a, b])
    let product = x.integerProduct(try x.input(0), try x.input(1), x.optional(4), x.optional(5), scales)
    if type == .float32 {
      x.addBias(bias, to: product)
    } else {
      x.result("CastLike", [bias.map { x.add("Add", [product, $0]) } ?? product, try x.input(2)])
    }
  }
}
