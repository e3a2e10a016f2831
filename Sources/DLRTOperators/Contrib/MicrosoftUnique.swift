import DLRTGraph

/// com.microsoft Unique (1): the distinct elements of a vector in the order of their first occurrence, the place of every
/// element among them, and their counts.
package struct MicrosoftUnique: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "Unique", [("x", "T")], [("y", "T"), ("idx", "I"), ("counts", "I")], ["T": .all, "I": .int64])

  package static func expand(_ x: inout Expansion) throws {
    x.results([0, -1, 1, 2], "Unique", [try x.input(0)], ["sorted": .int(0)])
  }
}
