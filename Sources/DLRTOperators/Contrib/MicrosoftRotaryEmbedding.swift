import DLRTGraph

/// com.microsoft RotaryEmbedding (1): ONNX's RotaryEmbedding (23) whose positions may also be one start for all samples,
/// and whose number of heads may follow from the caches' width.
package struct MicrosoftRotaryEmbedding: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "RotaryEmbedding", [("input", "T"), ("position_ids", "M"), ("cos_cache", "T"), ("sin_cache", "T")],
    [("output", "T")], ["T": [.float32, .halfFloats], "M": .int64])

  package static func expand(_ x: inout Expansion) throws {
    try x.attributes.require("is_packed_batching", 0, "packed batches are not implemented")
    let scale = try x.attributes.float("scale", default: 1)
    guard scale == 1 else {
      throw DLRTError(.unsupportedModel, "scaling is not implemented", tensor: "scale", expected: "1", got: "\(scale)")
    }
    var own = x.take(["interleaved", "num_heads", "rotary_embedding_dim"])
    own[RotaryEmbedding.relaxed] = .int(1)
    x.result("RotaryEmbedding", [try x.input(0), try x.input(2), try x.input(3), try x.input(1)], own)
  }
}
