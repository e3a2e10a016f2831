import DLRTGraph

/// com.microsoft ExpandDims (1): Unsqueeze at one axis.
package struct ExpandDims: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "ExpandDims", [("X", "T"), ("axis", "I")], [("Y", "T")], ["T": .all, "I": .int32])

  package static func expand(_ x: inout Expansion) throws {
    x.result("Unsqueeze", [try x.input(0), try x.reshape(x.cast(try x.input(1), .int64), [1])])
  }
}
