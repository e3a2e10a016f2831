import DLRTGraph

/// com.microsoft QLinearConcat (1): operands with scales and zero points of their own, joined along `axis` under those of
/// the result. Inputs: Y_scale, Y_zero_point, then each operand with its scale and zero point.
package struct QLinearConcat: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "QLinearConcat", [("Y_scale", "TF"), ("Y_zero_point", "T8"), ("inputs...", "TV*")], [("Y", "T8")],
    ["TF": .float32, "T8": TypeSet(.int8, .uint8), "TV*": TypeSet(.float32, .int8, .uint8)])

  package static func expand(_ x: inout Expansion) throws {
    let own = x.take(["axis"])
    let (scale, zero) = (try x.input(0), try x.input(1))
    let count = x.node.inputs.count - 2
    guard count > 0, count % 3 == 0 else {
      throw DLRTError(
        .invalidModel, "not operands with scale and zero point", tensor: "inputs", expected: "a multiple of 3",
        got: "\(count)")
    }
    let parts = try stride(from: 2, to: count + 2, by: 3).map { index in
      let value = x.dequantize(try x.input(index), try x.input(index + 1), x.optional(index + 2))
      return x.add("QuantizeLinear", [value, scale, zero])
    }
    x.result("Concat", parts, own)
  }
}
