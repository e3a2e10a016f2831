/// Normalisations and the softmax family.
let normalizationOperators: OperatorFamily = [
  "BatchNormalization": BatchNormalization.self,
  "GroupNormalization": GroupNormalization.self,
  "Hardmax": Hardmax.self,
  "InstanceNormalization": InstanceNormalization.self,
  "LRN": LRN.self,
  "LayerNormalization": LayerNormalization.self,
  "LogSoftmax": LogSoftmax.self,
  "LpNormalization": LpNormalization.self,
  "MeanVarianceNormalization": MeanVarianceNormalization.self,
  "ai.dlrt::NormalizationNHWC": NormalizationNHWC.self,
  "RMSNormalization": RMSNormalization.self,
  "Softmax": Softmax.self,
]
