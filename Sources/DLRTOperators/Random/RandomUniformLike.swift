import DLRTGraph

/// ONNX RandomUniformLike (1, 22): a tensor of the input's shape and, unless `dtype` says otherwise, type, filled with
/// uniform numbers from `low` to `high`, which is excluded.
package struct RandomUniformLike: Operator {
  package static let schema = OperatorSchema(
    "RandomUniformLike", versions: [1, 22], inputs: [("input", "T1")], outputs: [("output", "T2")],
    types: ["T1": .all, "T2": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let random: RandomTensor

  package init(_ attributes: inout AttributeReader) throws {
    random = try RandomTensor(uniform: &attributes, defaultType: nil)
  }

  package var isDeterministic: Bool { false }
  package var readsOnlyShapes: Bool { true }

  package func infer(_ inference: inout Inference) throws { try random.infer(&inference, nil) }

  package func plan(_ planning: inout Planning) throws -> Step { try random.plan(planning) }
}
