/// Optimisers and derivatives of ai.onnx.preview.training.
let trainingOperators: OperatorFamily = [
  "ai.onnx.preview.training::Adagrad": Adagrad.self,
  "ai.onnx.preview.training::Adam": Adam.self,
  "ai.onnx.preview.training::Gradient": Gradient.self,
  "ai.onnx.preview.training::Momentum": Momentum.self,
  "ai.dlrt::SumToShape": SumToShape.self,
]
