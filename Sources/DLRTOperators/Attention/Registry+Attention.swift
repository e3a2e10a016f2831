/// Attention and what goes with it.
let attentionOperators: [any Operator.Type] = [
  Attention.self,
  FlexAttention.self,
  LinearAttention.self,
  RotaryEmbedding.self,
]
