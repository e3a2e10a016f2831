import DLRTGraph

/// ONNX GroupNormalization (18, 21): the channels of `[N, C, spatial…]` in num_groups groups, each brought to mean 0 and
/// variance 1, times scale, plus bias of the channel (version 18: of the group). float16, bfloat16, float, double.
package struct GroupNormalization: Operator {
  package static let schema = OperatorSchema(
    "GroupNormalization", versions: [18, 21], inputs: [("X", "T"), ("scale", "T"), ("bias", "T")],
    outputs: [("Y", "T")], types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let groups: Int
  private let epsilon: Float
  private let hasGroupParameters: Bool

  /// Says that scale and bias hold one element for each group, which the newest form cannot say.
  private static let groupParameters = "parameters_per_group"

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    if version < 21 { node.attributes[groupParameters] = .int(1) }
  }

  package init(_ attributes: inout AttributeReader) throws {
    groups = try attributes.int("num_groups")
    guard groups >= 1 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "num_groups", expected: "≥ 1", got: "\(groups)")
    }
    epsilon = try attributes.float("epsilon", default: 1e-5)
    hasGroupParameters = try attributes.flag(Self.groupParameters)
    // Moments are taken in float64, which is at least what any value asks for.
    attributes.ignore("stash_type")
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, try inference.type(0))
    let input = try inference.shape(0)
    guard input.rank >= 2 else {
      throw DLRTError(.invalidModel, "wrong rank", tensor: inference.name(0), expected: "at least 2", got: "\(input)")
    }
    if let channels = input[1].value, channels % groups != 0 {
      throw DLRTError(
        .invalidModel, "channels are no multiple of the groups", tensor: "num_groups",
        expected: "a divisor of \(channels)", got: "\(groups)")
    }
    try inference.checkVectors([1, 2], count: hasGroupParameters ? .known(groups) : input[1])
    try inference.sameAsInput()
  }

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    let layout = ChannelLayout(planning.shape(0))
    let perGroup = layout.channels / groups
    return try planning.type(0).dispatch(
      PlaneNormalization(
        layout: layout, channelsPerGroup: perGroup, channelsPerParameter: hasGroupParameters ? perGroup : 1,
        epsilon: epsilon))
  }
}
