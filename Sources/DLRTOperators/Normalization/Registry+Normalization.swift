/// Normalisations and the softmax family.
let normalizationOperators: [any Operator.Type] = [
  Hardmax.self,
  LayerNormalization.self,
  LogSoftmax.self,
  RMSNormalization.self,
  Softmax.self,
]
