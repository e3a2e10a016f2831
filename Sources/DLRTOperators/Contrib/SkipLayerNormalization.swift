import DLRTGraph

/// com.microsoft SkipLayerNormalization (1): LayerNormalization over the last axis of input + skip + bias; skip may
/// lack the batch. The fourth output is that sum.
package struct SkipLayerNormalization: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "SkipLayerNormalization", [("input", "T"), ("skip", "T"), ("gamma", "T"), ("beta?", "T"), ("bias?", "T")],
    [("output", "T"), ("mean?", "U"), ("inv_std_var?", "U"), ("input_skip_bias_sum?", "T")],
    ["T": .floats, "U": .float32])

  package static func expand(_ x: inout Expansion) throws {
    let epsilon = try x.attributes.float("epsilon", default: 1e-12)
    let sum = try x.skipSum(bias: 4)
    x.results(
      [0, 1, 2], "LayerNormalization", [sum, try x.input(2), x.optional(3)], ["epsilon": .float(epsilon)])
  }
}

extension Expansion {
  /// Inputs 0 and 1 and a bias added, which are output 3 too.
  mutating func skipSum(bias index: Int) throws -> ValueID {
    let (first, skip) = (try input(0), try input(1))
    let sum = shared(3)
    if let bias = optional(index) {
      append("Add", [add("Add", [first, bias]), skip], [:], [sum])
    } else {
      append("Add", [first, skip], [:], [sum])
    }
    return sum
  }
}
