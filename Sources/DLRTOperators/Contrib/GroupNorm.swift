import DLRTGraph

/// com.microsoft GroupNorm (1): GroupNormalization of images [N, H, W, C] (or [N, C, H, W] where `channels_last` is 0), then
/// x · sigmoid(x) where `activation` is 1.
package struct GroupNorm: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "GroupNorm", [("X", "T"), ("gamma", "M"), ("beta", "M")], [("Y", "T")], ["T": .floats, "M": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let isLast = try x.attributes.flag("channels_last", default: true)
    let activation = try x.attributes.int("activation")
    let groups = try x.positive("groups")
    let epsilon = try x.attributes.float("epsilon", default: 1e-5)
    guard (0...1).contains(activation) else {
      throw DLRTError(
        .invalidModel, "no such activation", tensor: "activation", expected: "0 or 1", got: "\(activation)")
    }
    let value = try x.input(0)
    let scale = x.add("CastLike", [try x.input(1), value])
    let bias = x.add("CastLike", [try x.input(2), value])
    let made = x.channelsFirst(value, isLast, rank: 4) {
      let attributes: [String: Attribute] = ["num_groups": .int(groups), "epsilon": .float(epsilon)]
      return $0.add("GroupNormalization", [$1, scale, bias], attributes)
    }
    if activation == 1 { x.result("Swish", [made]) } else { x.hand(made, to: 0) }
  }
}
