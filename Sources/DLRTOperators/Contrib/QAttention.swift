import DLRTGraph

/// com.microsoft QAttention (1): Attention of that domain whose input and weights are quantised; the weights' scale and
/// zero point may be one per column.
package struct QAttention: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "QAttention",
    [
      ("input", "T1"), ("weight", "T2"), ("bias", "T3"), ("input_scale", "T3"), ("weight_scale", "T3"),
      ("mask_index?", "T4"), ("input_zero_point?", "T1"), ("weight_zero_point?", "T2"), ("past?", "T3"),
    ],
    [("output", "T3"), ("present?", "T3")],
    ["T1": TypeSet(.int8, .uint8), "T2": TypeSet(.int8, .uint8), "T3": .float32, "T4": .int32])

  package static func expand(_ x: inout Expansion) throws {
    let options = try AttentionOptions(&x)
    try x.attributes.require("do_rotary", 0, "rotation is not implemented")
    try x.attributes.require("past_present_share_buffer", 0, "shared caches are not implemented")
    let scales = x.add("Mul", [try x.input(3), try x.input(4)])
    let product = x.integerProduct(try x.input(0), try x.input(1), x.optional(6), x.optional(7), scales)
    let qkv = x.thirds(x.add("Add", [product, try x.input(2)]), axis: 2, nil)
    let past = try x.splitPast(x.optional(8))
    let bias = x.scoreBias(mask: x.optional(5), bias: nil, keys: qkv[1], past: past.key, filter: options.filter)
    try x.attend(qkv[0], qkv[1], qkv[2], bias: bias, past: past, options)
  }
}
