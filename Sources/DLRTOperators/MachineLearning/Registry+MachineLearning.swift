/// The domain ai.onnx.ml.
let machineLearningOperators: [any Operator.Type] = []
