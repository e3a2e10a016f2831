/// com.microsoft DequantizeLinear (1): ONNX's DequantizeLinear (21), which has the 4- and 16-bit types too.
package struct MicrosoftDequantizeLinear: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "DequantizeLinear", [("x", "T1"), ("x_scale", "T2"), ("x_zero_point?", "T1")], [("y", "T2")],
    ["T1": [.quantized, .int32], "T2": [.float32, .halfFloats]])

  package static func expand(_ x: inout Expansion) throws { x.rename("DequantizeLinear", ["axis"]) }
}
