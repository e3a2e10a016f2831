import DLRTGraph

/// com.microsoft QLinearReduceMean (1): ReduceMean of a quantised operand over `axes`, quantised again.
package struct QLinearReduceMean: CompositeOperator {
  package static let schema = OperatorSchema.quantizedUnary("QLinearReduceMean", "data", "reduced")

  package static func expand(_ x: inout Expansion) throws {
    let axes = try x.ints(try x.attributes.ints("axes"))
    let own = x.take(["keepdims"])
    try x.quantized { $0.add("ReduceMean", [$1, axes], own) }
  }
}
