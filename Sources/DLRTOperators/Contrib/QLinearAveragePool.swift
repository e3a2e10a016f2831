import DLRTGraph

/// com.microsoft QLinearAveragePool (1): AveragePool of a quantised operand, quantised again; `channels_last` for
/// [N, spatial…, C].
package struct QLinearAveragePool: CompositeOperator {
  package static let schema = OperatorSchema.quantizedUnary("QLinearAveragePool")

  package static func expand(_ x: inout Expansion) throws {
    let isLast = try x.attributes.flag("channels_last")
    let rank = try x.attributes.ints("kernel_shape").count + 2
    let own = x.take(["auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"])
    try x.quantized { x, value in
      x.channelsFirst(value, isLast, rank: rank) { $0.add("AveragePool", [$1], own) }
    }
  }
}
