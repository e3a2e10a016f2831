import DLRTGraph

/// com.microsoft GridSample (1): ONNX's GridSample (16).
package struct MicrosoftGridSample: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "GridSample", [("X", "T"), ("Grid", "T")], [("Y", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    var own = x.take(["align_corners", "mode", "padding_mode"])
    switch own["mode"] {
    case .string("bilinear"): own["mode"] = .string(GridSampling.Mode.linear.rawValue)
    case .string("bicubic"): own["mode"] = .string(GridSampling.Mode.cubic.rawValue)
    default: break
    }
    x.result("GridSample", x.node.inputs, own)
  }
}
