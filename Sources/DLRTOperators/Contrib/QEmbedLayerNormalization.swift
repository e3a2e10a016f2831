import DLRTGraph

/// com.microsoft QEmbedLayerNormalization (1): EmbedLayerNormalization with tables, gamma and beta in int8 or uint8, each with a
/// scale and a zero point. Words are looked up first, so that no table is ever widened.
package struct QEmbedLayerNormalization: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "QEmbedLayerNormalization",
    [
      ("input_ids", "T1"), ("segment_ids?", "T1"), ("word_embedding_quant", "T2"), ("position_embedding_quant", "T2"),
      ("segment_embedding?", "T2"), ("gamma_quant", "T2"), ("beta_quant", "T2"), ("mask?", "T1"),
      ("word_embedding_scale", "T"), ("position_embedding_scale", "T"), ("segment_embedding_scale?", "T"),
      ("gamma_scale", "T"), ("beta_scale", "T"), ("word_embedding_zero_point", "T2"),
      ("position_embedding_zero_point", "T2"), ("segment_embedding_zero_point?", "T2"), ("gamma_zero_point", "T2"),
      ("beta_zero_point", "T2"),
    ],
    [("layernorm_out", "T"), ("mask_index_out", "T1")],
    ["T1": .int32, "T2": TypeSet(.int8, .uint8), "T": .float32])

  package static func expand(_ x: inout Expansion) throws {
    let epsilon = try x.attributes.float("epsilon", default: 1e-12)
    let ids = try x.input(0)
    let words = try x.lookUp(2, ids)
    let positions = try x.lookUp(3, try x.countedPositions(ids))
    var sum = x.add("Add", [words, positions])
    if let segments = x.optional(1) { sum = x.add("Add", [sum, try x.lookUp(4, segments)]) }
    try x.countMask(ids, output: 1)
    let gamma = x.dequantize(try x.input(5), try x.input(11), try x.input(16))
    let beta = x.dequantize(try x.input(6), try x.input(12), try x.input(17))
    x.results([0], "LayerNormalization", [sum, gamma, beta], ["epsilon": .float(epsilon)])
  }
}

extension Expansion {
  /// Rows of a quantised table, whose scale and zero point are 6 and 11 inputs behind it.
  fileprivate mutating func lookUp(_ table: Int, _ ids: ValueID) throws -> ValueID {
    dequantize(add("Gather", [try input(table), ids]), try input(table + 6), try input(table + 11))
  }
}
