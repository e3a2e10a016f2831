import DLRTGraph

/// com.microsoft Pad (1): ONNX's Pad (11), whose pads may be a row of a matrix.
package struct MicrosoftPad: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "Pad", [("data", "T"), ("pads", "I"), ("value?", "T")], [("output", "T")], ["T": .floats, "I": .int64])

  package static func expand(_ x: inout Expansion) throws {
    let own = x.take(["mode"])
    let pads = try x.reshape(try x.input(1), [-1])
    let value = try x.optional(2).map { try x.reshape($0, []) }
    x.result("Pad", [try x.input(0), pads, value], own)
  }
}
