import DLRTGraph

/// com.microsoft Range (1): ONNX's Range (11); the step is 1 where it is left out.
package struct MicrosoftRange: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "Range", [("start", "T"), ("limit", "T"), ("delta?", "T")], [("Y", "T")],
    ["T": TypeSet(.int16, .int32, .int64, .float32, .float64)])

  package static func expand(_ x: inout Expansion) throws {
    let start = try x.reshape(try x.input(0), [])
    let limit = try x.reshape(try x.input(1), [])
    let delta = try x.optional(2).map { try x.reshape($0, []) } ?? x.number(1, like: start)
    x.result("Range", [start, limit, delta])
  }
}
