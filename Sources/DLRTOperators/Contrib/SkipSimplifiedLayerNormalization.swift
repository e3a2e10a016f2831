import DLRTGraph

/// com.microsoft SkipSimplifiedLayerNormalization (1): RMSNormalization over the last axis of input + skip + bias; the
/// fourth output is that sum.
package struct SkipSimplifiedLayerNormalization: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "SkipSimplifiedLayerNormalization", [("input", "T"), ("skip", "T"), ("gamma", "T"), ("bias?", "T")],
    [("output", "T"), ("mean?", "U"), ("inv_std_var?", "U"), ("input_skip_bias_sum?", "T")],
    ["T": .floats, "U": .float32])

  package static func expand(_ x: inout Expansion) throws {
    let epsilon = try x.attributes.float("epsilon", default: 1e-12)
    if x.wants(1) {
      throw DLRTError(.unsupportedModel, "no mean is taken", tensor: "mean")
    }
    let sum = try x.skipSum(bias: 3)
    try x.inverseDeviation(sum, axis: -1, epsilon: epsilon, output: 2)
    x.results([0], "RMSNormalization", [sum, try x.input(2)], ["epsilon": .float(epsilon)])
  }
}
