import DLRTGraph

/// ONNX InstanceNormalization (1, 6, 22): each plane of `[N, C, spatial…]` brought to mean 0 and variance 1, times scale,
/// plus B of its channel. float16, bfloat16, float, double.
package struct InstanceNormalization: Operator {
  package static let schema = OperatorSchema(
    "InstanceNormalization", versions: [1, 6, 22], inputs: [("input", "T"), ("scale", "T"), ("B", "T")],
    outputs: [("output", "T")], types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  package let epsilon: Float

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    if version < 6 { node.attributes["consumed_inputs"] = nil }
  }

  package init(_ attributes: inout AttributeReader) throws {
    epsilon = try attributes.float("epsilon", default: 1e-5)
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, try inference.type(0))
    let input = try inference.shape(0)
    guard input.rank >= 2 else {
      throw DLRTError(.invalidModel, "wrong rank", tensor: inference.name(0), expected: "at least 2", got: "\(input)")
    }
    try inference.checkVectors([1, 2], count: input[1])
    try inference.sameAsInput()
  }

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    try planning.type(0).dispatch(
      PlaneNormalization(
        layout: ChannelLayout(planning.shape(0)), channelsPerGroup: 1, channelsPerParameter: 1, epsilon: epsilon))
  }
}
