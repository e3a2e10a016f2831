/// The domains ai.onnx.preview and ai.onnx.preview.training.
let trainingOperators: [any Operator.Type] = []
