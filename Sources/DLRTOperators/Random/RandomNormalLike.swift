import DLRTGraph

/// ONNX RandomNormalLike (1, 22): a tensor of the input's shape and, unless `dtype` says otherwise, type, filled with
/// normal numbers of the given mean and standard deviation (`scale`).
package struct RandomNormalLike: Operator {
  package static let schema = OperatorSchema(
    "RandomNormalLike", versions: [1, 22], inputs: [("input", "T1")], outputs: [("output", "T2")],
    types: ["T1": .all, "T2": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let random: RandomTensor

  package init(_ attributes: inout AttributeReader) throws {
    random = try RandomTensor(normal: &attributes, defaultType: nil)
  }

  package var isDeterministic: Bool { false }
  package var readsOnlyShapes: Bool { true }

  package func infer(_ inference: inout Inference) throws { try random.infer(&inference, nil) }

  package func plan(_ planning: inout Planning) throws -> Step { try random.plan(planning) }
}
