/// Optimisers and derivatives of ai.onnx.preview.training.
let trainingOperators: [any Operator.Type] = [
  Adagrad.self,
  Adam.self,
  Gradient.self,
  Momentum.self,
  SumToShape.self,
]
