import DLRTGraph

/// com.microsoft QGemm (1): alpha · a_scale · b_scale · ((A' − a_zero) · (B' − b_zero) + C), quantised by y_scale and
/// y_zero_point, or float without them. C is int32; B's scale and zero point may be one per column.
package struct QGemm: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "QGemm",
    [
      ("A", "TA"), ("a_scale", "T"), ("a_zero_point", "TA"), ("B", "TB"), ("b_scale", "T"), ("b_zero_point", "TB"),
      ("C?", "TC"), ("y_scale?", "T"), ("y_zero_point?", "TY"),
    ],
    [("Y", "TY")],
    [
      "T": .float32, "TA": TypeSet(.int8, .uint8), "TB": TypeSet(.int8, .uint8), "TC": .int32,
      "TY": TypeSet(.float32, .int8, .uint8),
    ])

  package static func expand(_ x: inout Expansion) throws {
    let alpha = try x.attributes.float("alpha", default: 1)
    var (a, b) = (try x.input(0), try x.input(3))
    if try x.attributes.flag("transA") { a = x.transpose(a, [1, 0]) }
    if try x.attributes.flag("transB") { b = x.transpose(b, [1, 0]) }
    var sum = x.add("MatMulInteger", [a, b, try x.input(2), try x.input(5)])
    if let addend = x.optional(6) { sum = x.add("Add", [sum, addend]) }
    var scales = x.add("Mul", [try x.input(1), try x.input(4)])
    if alpha != 1 { scales = x.add("Mul", [scales, try x.float(alpha)]) }
    let product = x.add("Mul", [x.cast(sum, .float32), scales])
    if let scale = x.optional(7) {
      try x.quantize(product, scale, x.optional(8), like: try x.input(0))
    } else {
      x.hand(product, to: 0)
    }
  }
}
