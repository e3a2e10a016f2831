import DLRTGraph

/// com.microsoft QLinearGlobalAveragePool (1): GlobalAveragePool of a quantised operand, quantised again;
/// `channels_last` for [N, spatial…, C], of four axes where the file does not say how many.
package struct QLinearGlobalAveragePool: CompositeOperator {
  package static let schema = OperatorSchema.quantizedUnary("QLinearGlobalAveragePool")

  package static func expand(_ x: inout Expansion) throws {
    let isLast = try x.attributes.flag("channels_last")
    let rank = x.shape(try x.input(0))?.rank ?? 4
    try x.quantized { x, value in
      x.channelsFirst(value, isLast, rank: rank) { $0.add("GlobalAveragePool", [$1]) }
    }
  }
}
