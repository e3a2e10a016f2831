import DLRTGraph

/// ONNX RandomNormal (1, 22): a tensor of the given shape and type, filled with
/// normal numbers of the given mean and standard deviation (`scale`).
package struct RandomNormal: Operator {
  package static let schema = OperatorSchema(
    "RandomNormal", versions: [1, 22], inputs: [], outputs: [("output", "T")], types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let random: RandomTensor
  private let shape: Shape

  package init(_ attributes: inout AttributeReader) throws {
    random = try RandomTensor(normal: &attributes, defaultType: .float32)
    shape = try attributes.outputShape()
  }

  package var isDeterministic: Bool { false }

  package func infer(_ inference: inout Inference) throws { try random.infer(&inference, shape) }

  package func plan(_ planning: inout Planning) throws -> Step { try random.plan(planning) }
}
