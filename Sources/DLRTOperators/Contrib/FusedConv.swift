import DLRTGraph

/// com.microsoft FusedConv (1): activation(Conv(X, W, B) + Z); attributes of Conv, `activation` and
/// `activation_params`. Float types.
package struct FusedConv: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "FusedConv", [("X", "T"), ("W", "T"), ("B?", "T"), ("Z?", "T")], [("Y", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let activation = try x.attributes.optionalString("activation")
    let parameters = try x.attributes.optionalFloats("activation_params") ?? []
    let names = ["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]
    let own = x.take(names)
    var value = x.add("Conv", [try x.input(0), try x.input(1), x.optional(2)], own)
    if let addend = x.optional(3) { value = x.add("Add", [value, addend]) }
    try x.activate(value, activation, parameters)
  }
}
