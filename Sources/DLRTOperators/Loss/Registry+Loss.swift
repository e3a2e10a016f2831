/// Losses.
let lossOperators: OperatorFamily = [
  "NegativeLogLikelihoodLoss": NegativeLogLikelihoodLoss.self,
  "SoftmaxCrossEntropyLoss": SoftmaxCrossEntropyLoss.self,
]
