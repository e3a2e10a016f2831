/// Optimisers of ai.onnx.preview.training.
let trainingOperators: [any Operator.Type] = [
  Adagrad.self,
  Adam.self,
  Momentum.self,
]
