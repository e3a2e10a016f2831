/// com.microsoft LayerNormalization (1): ONNX's LayerNormalization (17) in ONNX Runtime's domain.
package struct MicrosoftLayerNormalization: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "LayerNormalization", [("X", "T"), ("Scale", "T"), ("B?", "T")],
    [("Y", "T"), ("Mean?", "U"), ("InvStdDev?", "U")], ["T": .floats, "U": .floats])

  package static func expand(_ x: inout Expansion) throws {
    x.rename("LayerNormalization", ["axis", "epsilon", "stash_type"])
  }
}
