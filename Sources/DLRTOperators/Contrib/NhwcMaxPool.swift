import DLRTGraph

/// com.microsoft NhwcMaxPool (1): MaxPool of images [N, spatial…, C].
package struct NhwcMaxPool: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "NhwcMaxPool", [("x", "T")], [("y", "T")], ["T": TypeSet(.int8, .uint8)])

  package static func expand(_ x: inout Expansion) throws {
    let rank = try x.attributes.ints("kernel_shape").count + 2
    let own = x.take(["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides"])
    let made = x.channelsFirst(try x.input(0), true, rank: rank) { $0.add("MaxPool", [$1], own) }
    x.hand(made, to: 0)
  }
}
