import DLRTGraph

/// com.microsoft GroupQueryAttention (1): causal attention whose query heads share key heads, with a cache that each
/// sample has filled to its own length, and rotation by position.
///
/// Q is [batch, queries, heads · size], or Q, K and V joined along the last axis. Caches are [batch, key heads, positions,
/// size]. `seqlens_k` is each sample's number of keys, new ones included, less one; `total_sequence_length` the greatest.
package struct GroupQueryAttention: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "GroupQueryAttention",
    [
      ("query", "T"), ("key?", "T"), ("value?", "T"), ("past_key?", "T"), ("past_value?", "T"), ("seqlens_k", "M"),
      ("total_sequence_length", "M"), ("cos_cache?", "T"), ("sin_cache?", "T"), ("position_ids?", "P"),
      ("attention_bias?", "T"), ("head_sink?", "T"), ("k_scale?", "S"), ("v_scale?", "S"), ("q_norm_weight?", "T"),
      ("k_norm_weight?", "T"), ("query_seqlens?", "M"),
    ],
    [("output", "T"), ("present_key?", "T"), ("present_value?", "T"), ("output_qk?", "T")],
    ["T": [.float32, .halfFloats], "M": .int32, "P": .int64, "S": .float32])

  package static func expand(_ x: inout Expansion) throws {
    var options = AttentionOptions(
      heads: try x.positive("num_heads"), keyHeads: try x.positive("kv_num_heads"))
    options.scale = try AttentionOptions.scale(&x)
    options.isCausal = try x.attributes.flag("causal", default: true)
    options.softcap = try x.attributes.float("softcap", default: 0)
    let window = try x.attributes.int("local_window_size", default: -1)
    // The window of the format counts the query's own position.
    if window > 0 { options.leftWindow = window - 1 }
    let rotates = try x.attributes.flag("do_rotary")
    let rotation = try x.attributes.int("rotary_interleaved", default: 0)
    let isSmooth = try x.attributes.int("smooth_softmax", default: -1) > 0
    try x.refuseVariants()

    let heads = (options.heads, options.keyHeads)
    var (q, k, v) = try x.joinedOperands(heads)
    let places = x.parts(
      3, "CachePositions", domain: OperatorName.internalDomain, [try x.input(5), q, try x.input(6)])
    if rotates {
      guard let cosines = x.optional(7), let sines = x.optional(8) else {
        throw DLRTError(.invalidModel, "rotation needs caches of cosines and sines", tensor: "cos_cache")
      }
      let positions = x.optional(9) ?? places[2]
      var attributes: [String: Attribute] = ["interleaved": .int(rotation)]
      if let width = x.shape(cosines)?.dims.last?.value { attributes["rotary_embedding_dim"] = .int(width &* 2) }
      attributes["num_heads"] = .int(heads.0)
      q = x.add("RotaryEmbedding", [q, cosines, sines, positions], attributes)
      attributes["num_heads"] = .int(heads.1)
      k = x.add("RotaryEmbedding", [k, cosines, sines, positions], attributes)
    }
    k = try x.cached(k, 3, output: 1, heads.1, places[1])
    v = try x.cached(v, 4, output: 2, heads.1, places[1])
    let sinks = try x.optional(11) ?? (isSmooth ? x.zeros(heads.0, like: q) : nil)
    x.results(
      [0], "Attention", [q, k, v, x.optional(10), nil, nil, places[0], sinks], options.attributes)
  }
}

extension Expansion {
  fileprivate mutating func refuseVariants() throws {
    try attributes.require("qk_output", 0, "scores as output are not implemented")
    try attributes.require("sliding_window_cache", 0, "caches that slide are not implemented")
    try attributes.require("kv_cache_bit_width", 0, "quantised caches are not implemented")
    for name in ["k_quant_type", "v_quant_type"] {
      let kind = try attributes.string(name, default: "NONE")
      guard kind == "NONE" else {
        throw DLRTError(.unsupportedModel, "quantised caches are not implemented", tensor: name, got: "'\(kind)'")
      }
    }
    attributes.ignore("q_norm_epsilon", "k_norm_epsilon", "qk_norm_epsilon")
    try refuse(12, "quantised caches are not implemented")
    try refuse(13, "quantised caches are not implemented")
    try refuse(14, "normalised queries are not implemented")
    try refuse(15, "normalised keys are not implemented")
    try refuse(16, "lengths of queries are not implemented")
    if wants(3) { throw DLRTError(.unsupportedModel, "scores as output are not implemented", tensor: "output_qk") }
    guard has(3) == has(4) else {
      throw DLRTError(.invalidModel, "past_key and past_value come together", tensor: "past_key")
    }
  }

  /// A smooth softmax is one whose sinks are zeros.
  fileprivate mutating func zeros(_ count: Int, like value: ValueID) throws -> ValueID {
    let zeros = constant(try Tensor(zeros: [count], type: .float32))
    return type(value) == .float32 ? zeros : add("CastLike", [zeros, value])
  }

  fileprivate mutating func joinedOperands(_ heads: (query: Int, key: Int)) throws -> (ValueID, ValueID, ValueID) {
    let query = try input(0)
    guard has(1) == has(2) else { throw DLRTError(.invalidModel, "key and value come together", tensor: "key") }
    if let key = optional(1), let value = optional(2) { return (query, key, value) }
    let apart = try reshape(query, [0, 0, heads.query + 2 * heads.key, -1])
    let sizes = try ints([heads.query, heads.key, heads.key])
    let shape = try ints([0, 0, -1])
    let parts = parts(3, "Split", [apart, sizes], ["axis": .int(2)]).map { add("Reshape", [$0, shape]) }
    return (parts[0], parts[1], parts[2])
  }

  /// The cache with the new positions written where each sample's end.
  fileprivate mutating func cached(
    _ fresh: ValueID, _ past: Int, output: Int, _ heads: Int, _ starts: ValueID
  ) throws -> ValueID {
    let update = transpose(try reshape(fresh, [0, 0, heads, -1]), [0, 2, 1, 3])
    let total = try reshape(cast(try input(6), .int64), [1])
    let result = shared(output)
    // Room for what is longer than the past: zeros behind it.
    // Zeros behind what is shorter than the total; without a past, any memory of the size will do.
    let present = optional(past) ?? update
    let zero = try ints([0])
    let room = add("Max", [add("Sub", [total, size(present, 2)]), zero])
    let pads = add("Concat", [try ints([0, 0, 0, 0, 0, 0]), room, zero], ["axis": .int(0)])
    append("TensorScatter", [add("Pad", [present, pads]), update, starts], [:], [result])
    return result
  }
}
