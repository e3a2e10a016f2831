/// Normalisations and the softmax family.
let normalizationOperators: [any Operator.Type] = [
  BatchNormalization.self,
  GroupNormalization.self,
  Hardmax.self,
  InstanceNormalization.self,
  LRN.self,
  LayerNormalization.self,
  LogSoftmax.self,
  LpNormalization.self,
  MeanVarianceNormalization.self,
  NormalizationNHWC.self,
  RMSNormalization.self,
  Softmax.self,
]
