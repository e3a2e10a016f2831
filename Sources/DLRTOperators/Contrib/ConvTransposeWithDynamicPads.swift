import DLRTGraph

/// com.microsoft ConvTransposeWithDynamicPads (1): ConvTranspose whose pads are an input: what they cut off is cut off
/// after it.
package struct ConvTransposeWithDynamicPads: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "ConvTransposeWithDynamicPads", [("X", "T"), ("W", "T"), ("Pads?", "I"), ("B?", "T")], [("Y", "T")],
    ["T": .floats, "I": .int64])

  package static func expand(_ x: inout Expansion) throws {
    let own = x.take(["auto_pad", "dilations", "group", "kernel_shape", "output_padding", "strides"])
    let full = x.add("ConvTranspose", [try x.input(0), try x.input(1), x.optional(3)], own)
    guard let pads = x.optional(2) else { return x.hand(full, to: 0) }
    let sides = x.parts(2, "Split", [pads], ["axis": .int(0), "num_outputs": .int(2)])
    let leading = try x.ints([0, 0])
    let starts = x.add("Concat", [leading, sides[0]], ["axis": .int(0)])
    let cut = x.add("Concat", [leading, sides[1]], ["axis": .int(0)])
    x.result("Slice", [full, starts, x.add("Sub", [x.add("Shape", [full]), cut])])
  }
}
