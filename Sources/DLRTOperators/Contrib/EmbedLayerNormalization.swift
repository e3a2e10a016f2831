import DLRTGraph

/// com.microsoft EmbedLayerNormalization (1): LayerNormalization of the sum of a word's, a position's and a segment's
/// embedding. Positions count from 0 where `position_ids` does not say them. The outputs are the result, the number of
/// unmasked words of each sample, and the sum.
package struct EmbedLayerNormalization: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "EmbedLayerNormalization",
    [
      ("input_ids", "T1"), ("segment_ids?", "T1"), ("word_embedding", "T"), ("position_embedding", "T"),
      ("segment_embedding?", "T"), ("gamma", "T"), ("beta", "T"), ("mask?", "T1"), ("position_ids?", "T1"),
    ],
    [("output", "T"), ("mask_index?", "T1"), ("embedding_sum?", "T")], ["T1": .int32, "T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let epsilon = try x.attributes.float("epsilon", default: 1e-12)
    x.attributes.ignore("mask_index_type")
    let ids = try x.input(0)
    let words = x.add("Gather", [try x.input(2), ids])
    let positions = x.add("Gather", [try x.input(3), try x.optional(8) ?? x.countedPositions(ids)])
    let sum = x.shared(2)
    if let segments = x.optional(1) {
      guard let table = x.optional(4) else {
        throw DLRTError(.invalidModel, "segments need their embedding", tensor: "segment_embedding")
      }
      let both = x.add("Add", [words, positions])
      x.append("Add", [both, x.add("Gather", [table, segments])], [:], [sum])
    } else {
      x.append("Add", [words, positions], [:], [sum])
    }
    try x.countMask(ids, output: 1)
    x.results([0], "LayerNormalization", [sum, try x.input(5), try x.input(6)], ["epsilon": .float(epsilon)])
  }
}

extension Expansion {
  /// Positions that count from 0, as many as a sample has words.
  mutating func countedPositions(_ ids: ValueID) throws -> ValueID {
    let zero = constant(try Tensor(int64: [0], shape: []))
    let one = constant(try Tensor(int64: [1], shape: []))
    return add("Range", [zero, add("Squeeze", [size(ids, 1)]), one])
  }

  /// The number of ones in each row of the mask, [batch] as int32; zeros without a mask.
  mutating func countMask(_ ids: ValueID, output: Int) throws {
    guard wants(output) else { return }
    if let mask = optional(7) {
      results([output], "ReduceSum", [mask, try ints([1])], ["keepdims": .int(0)])
    } else {
      results(
        [output], "ConstantOfShape", [size(ids, 0)], ["value": .tensor(try Tensor([Int32(0)], shape: [1]))])
    }
  }
}
