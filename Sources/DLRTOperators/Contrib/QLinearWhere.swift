import DLRTGraph

/// com.microsoft QLinearWhere (1): X where the condition holds, Y elsewhere, both brought to the result's scale and zero
/// point.
package struct QLinearWhere: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "QLinearWhere",
    [
      ("condition", "B"), ("X", "T"), ("x_scale", "TF"), ("x_zero_point", "T"), ("Y", "T"), ("y_scale", "TF"),
      ("y_zero_point", "T"), ("z_scale", "TF"), ("z_zero_point", "T"),
    ],
    [("Z", "T")], ["B": .bool, "T": TypeSet(.int8, .uint8), "TF": .float32])

  package static func expand(_ x: inout Expansion) throws {
    let (scale, zero) = (try x.input(7), try x.input(8))
    let sides = try [1, 4].map { index in
      let value = x.dequantize(try x.input(index), try x.input(index + 1), try x.input(index + 2))
      return x.add("QuantizeLinear", [value, scale, zero])
    }
    x.result("Where", [try x.input(0), sides[0], sides[1]])
  }
}
