import DLRTGraph

/// SimplifiedLayerNormalization (1), which ONNX Runtime exports in ONNX's own domain: RMSNormalization (23) with the
/// inverse root of the mean square as second output.
package struct SimplifiedLayerNormalization: CompositeOperator {
  package static let schema = OperatorSchema(
    "SimplifiedLayerNormalization", versions: [1], inputs: [("X", "T"), ("scale", "V")],
    outputs: [("Y", "V"), ("inv_std_var?", "U")], types: ["T": .floats, "V": .floats, "U": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let axis = try x.attributes.int("axis", default: -1)
    let epsilon = try x.attributes.float("epsilon", default: 1e-5)
    let own = x.take(["axis", "epsilon", "stash_type"])
    let value = try x.input(0)
    try x.inverseDeviation(value, axis: axis, epsilon: epsilon, output: 1)
    x.results([0], "RMSNormalization", [value, try x.input(1)], own)
  }
}

/// com.microsoft SimplifiedLayerNormalization (1): the same in ONNX Runtime's domain.
package struct MicrosoftSimplifiedLayerNormalization: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "SimplifiedLayerNormalization", [("X", "T"), ("scale", "V")], [("Y", "V"), ("inv_std_var?", "U")],
    ["T": .floats, "V": .floats, "U": .floats])

  package static func expand(_ x: inout Expansion) throws { try SimplifiedLayerNormalization.expand(&x) }
}

extension Expansion {
  /// 1 / √(mean square + epsilon) in float32 over the axes from `axis` on, where an output asks for it.
  mutating func inverseDeviation(_ value: ValueID, axis: Int, epsilon: Float, output: Int) throws {
    guard wants(output) else { return }
    let wide = cast(value, .float32)
    let axes: [Int]
    if axis < 0 {
      axes = Array(axis...(-1))
    } else {
      guard let rank = shape(value)?.rank, axis < rank else {
        throw DLRTError(.unsupportedModel, "the rank is not known", tensor: "axis", got: "\(axis)")
      }
      axes = Array(axis..<rank)
    }
    let squares = add("ReduceMean", [add("Mul", [wide, wide]), try ints(axes)])
    let root = add("Sqrt", [add("Add", [squares, try float(epsilon)])])
    results([output], "Reciprocal", [root])
  }
}
