import DLRTGraph

/// com.microsoft QLinearConv (1): ONNX's QLinearConv (10); `channels_last` for images [N, spatial…, C].
package struct MicrosoftQLinearConv: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "QLinearConv",
    [
      ("x", "T1"), ("x_scale", "S"), ("x_zero_point", "T1"), ("w", "T2"), ("w_scale", "S"), ("w_zero_point", "T2"),
      ("y_scale", "S"), ("y_zero_point", "T3"), ("B?", "T4"),
    ],
    [("y", "T3")],
    [
      "T1": TypeSet(.int8, .uint8), "T2": TypeSet(.int8, .uint8), "T3": TypeSet(.int8, .uint8), "T4": .int32,
      "S": .float32,
    ])

  package static func expand(_ x: inout Expansion) throws {
    let isLast = try x.attributes.flag("channels_last")
    let own = x.take(["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"])
    let inputs = x.node.inputs
    var rank = x.shape(try x.input(3))?.rank ?? 4
    if case .ints(let sizes)? = own["kernel_shape"] { rank = sizes.count + 2 }
    let made = x.channelsFirst(try x.input(0), isLast, rank: rank) { x, value in
      x.add("QLinearConv", [value] + inputs.dropFirst(), own)
    }
    x.hand(made, to: 0)
  }
}
