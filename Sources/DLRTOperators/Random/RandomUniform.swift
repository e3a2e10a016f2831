import DLRTGraph

/// ONNX RandomUniform (1, 22): a tensor of the given shape and type, filled with
/// uniform numbers from `low` to `high`, which is excluded.
package struct RandomUniform: Operator {
  package static let schema = OperatorSchema(
    "RandomUniform", versions: [1, 22], inputs: [], outputs: [("output", "T")], types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let random: RandomTensor
  private let shape: Shape

  package init(_ attributes: inout AttributeReader) throws {
    random = try RandomTensor(uniform: &attributes, defaultType: .float32)
    shape = try attributes.outputShape()
  }

  package var isDeterministic: Bool { false }

  package func infer(_ inference: inout Inference) throws { try random.infer(&inference, shape) }

  package func plan(_ planning: inout Planning) throws -> Step { try random.plan(planning) }
}
