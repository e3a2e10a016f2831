/// Attention and what goes with it.
let attentionOperators: OperatorFamily = [
  "Attention": Attention.self,
  "ai.onnx.preview::FlexAttention": FlexAttention.self,
  "LinearAttention": LinearAttention.self,
  "RotaryEmbedding": RotaryEmbedding.self,
]
