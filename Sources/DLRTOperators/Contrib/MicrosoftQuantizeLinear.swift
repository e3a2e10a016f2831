/// com.microsoft QuantizeLinear (1): ONNX's QuantizeLinear (21), which has the 4- and 16-bit types too.
package struct MicrosoftQuantizeLinear: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "QuantizeLinear", [("x", "T1"), ("y_scale", "T1"), ("y_zero_point?", "T2")], [("y", "T2")],
    ["T1": [.float32, .halfFloats], "T2": .quantized])

  package static func expand(_ x: inout Expansion) throws { x.rename("QuantizeLinear", ["axis"]) }
}
