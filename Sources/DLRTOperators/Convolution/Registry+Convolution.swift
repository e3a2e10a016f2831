/// Operators that slide a window over spatial axes.
let convolutionOperators: [any Operator.Type] = [
  AveragePool.self,
  CausalConvWithState.self,
  Col2Im.self,
  Conv.self,
  ConvInteger.self,
  ConvTranspose.self,
  DeformConv.self,
  GlobalAveragePool.self,
  GlobalLpPool.self,
  GlobalMaxPool.self,
  LpPool.self,
  MaxPool.self,
  MaxUnpool.self,
  QLinearConv.self,
]
