import DLRTGraph

/// com.microsoft Attention (1): Q, K and V are input · weights + bias, cut into three along the last axis; then
/// softmax(scale · Q·Kᵀ + mask + attention_bias) · V for each head, as ONNX's Attention.
///
/// `past` and `present` are [2, batch, heads, positions, size].
package struct MicrosoftAttention: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "Attention",
    [
      ("input", "T"), ("weights", "T"), ("bias?", "T"), ("mask_index?", "M"), ("past?", "T"), ("attention_bias?", "T"),
      ("past_sequence_length?", "M"),
    ],
    [("output", "T"), ("present?", "T")], ["T": [.float32, .halfFloats], "M": .int32])

  package static func expand(_ x: inout Expansion) throws {
    let options = try AttentionOptions(&x)
    try x.attributes.require("do_rotary", 0, "rotation is not implemented")
    x.attributes.ignore("rotary_embedding_dim")
    try x.attributes.require("past_present_share_buffer", 0, "shared caches are not implemented")
    try x.refuse(6, "shared caches are not implemented")
    let sizes = try x.attributes.optionalInts("qkv_hidden_sizes")
    if let sizes, sizes.count != 3 || sizes.contains(where: { $0 <= 0 || $0 % options.heads != 0 }) {
      throw DLRTError(
        .invalidModel, "not three sizes of \(options.heads) heads", tensor: "qkv_hidden_sizes", got: "\(sizes)")
    }
    // The weights are cut rather than the product: constants are cut at load.
    let cut = try sizes.map { try x.ints($0) }
    let weights = x.thirds(try x.input(1), axis: 1, cut)
    let biases = x.optional(2).map { x.thirds($0, axis: 0, cut) }
    let input = try x.input(0)
    let qkv = (0..<3).map { index in
      let product = x.add("MatMul", [input, weights[index]])
      return biases.map { x.add("Add", [product, $0[index]]) } ?? product
    }
    let past = try x.splitPast(x.optional(4))
    let bias = x.scoreBias(
      mask: x.optional(3), bias: x.optional(5), keys: input, past: past.key, filter: options.filter)
    try x.attend(qkv[0], qkv[1], qkv[2], bias: bias, past: past, options)
  }
}

extension Expansion {
  /// Three parts along an axis, equal ones where no sizes are given.
  mutating func thirds(_ value: ValueID, axis: Int, _ sizes: ValueID?) -> [ValueID] {
    var attributes: [String: Attribute] = ["axis": .int(axis)]
    if sizes == nil { attributes["num_outputs"] = .int(3) }
    return parts(3, "Split", [value, sizes], attributes)
  }
}
