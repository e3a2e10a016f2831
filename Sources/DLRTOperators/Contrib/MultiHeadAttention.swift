import DLRTGraph

/// com.microsoft MultiHeadAttention (1): softmax(scale · Q·Kᵀ + mask + attention_bias) · V for each head, as ONNX's
/// Attention, after a bias of Q's, K's and V's sizes joined has been added to them.
///
/// Q is [batch, queries, heads · size]; K and V likewise, or [batch, heads, keys, size]. Q, K and V may be one tensor
/// [batch, positions, heads, 3, size], K and V one [batch, keys, heads, 2, size]. Caches are [batch, heads, positions, size].
package struct MultiHeadAttention: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "MultiHeadAttention",
    [
      ("query", "T"), ("key?", "T"), ("value?", "T"), ("bias?", "T"), ("key_padding_mask?", "M"),
      ("attention_bias?", "T"), ("past_key?", "T"), ("past_value?", "T"), ("past_sequence_length?", "M"),
      ("cache_indirection?", "M"),
    ],
    [("output", "T"), ("present_key?", "T"), ("present_value?", "T"), ("qk?", "QK")],
    ["T": [.float32, .halfFloats], "M": .int32, "QK": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let options = try AttentionOptions(&x)
    try x.refuse(8, "shared caches are not implemented")
    try x.refuse(9, "beams in caches are not implemented")
    var (q, k, v) = try x.operands()
    let keys = k
    if let bias = x.optional(3) {
      let width = x.size(q, -1)
      let all = x.size(bias, 0)
      let rest = x.add("Sub", [all, x.add("Add", [width, width])])
      let sizes = x.add("Concat", [width, width, rest], ["axis": .int(0)])
      let biases = x.thirds(bias, axis: 0, sizes)
      q = x.add("Add", [q, biases[0]])
      // Keys and values that come as heads, from a cache or another attention, have had theirs.
      if x.shape(k)?.rank != 4 {
        k = x.add("Add", [k, biases[1]])
        v = x.add("Add", [v, biases[2]])
      }
    }
    let bias = x.scoreBias(
      mask: x.optional(4), bias: x.optional(5), keys: keys, past: x.optional(6), filter: options.filter)
    var attributes = options.attributes
    // Scores are shown with all that is added to them.
    if x.wants(3) { attributes["qk_matmul_output_mode"] = .int(Attention.ScoreStage.masked.rawValue) }
    x.results([0, 1, 2, 3], "Attention", [q, k, v, bias, x.optional(6), x.optional(7)], attributes)
  }
}

extension Expansion {
  /// Q, K and V apart.
  fileprivate mutating func operands() throws -> (ValueID, ValueID, ValueID) {
    let query = try input(0)
    switch (optional(1), optional(2)) {
    case (let key?, let value?): return (query, key, value)
    case (nil, nil):
      let qkv = try unpack(query, 3)
      return (qkv[0], qkv[1], qkv[2])
    case (let packed?, nil):
      let kv = try unpack(packed, 2)
      return (query, kv[0], kv[1])
    case (nil, _?): throw DLRTError(.invalidModel, "a value without a key", tensor: "key")
    }
  }

  /// The parts of [batch, positions, heads, parts, size], each as [batch, positions, heads · size].
  private mutating func unpack(_ value: ValueID, _ count: Int) throws -> [ValueID] {
    let shape = try ints([0, 0, -1])
    return parts(count, "Split", [value], ["axis": .int(3), "num_outputs": .int(count)]).map {
      add("Reshape", [$0, shape])
    }
  }
}
