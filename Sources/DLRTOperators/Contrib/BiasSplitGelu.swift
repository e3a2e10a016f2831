import DLRTGraph

/// com.microsoft BiasSplitGelu (1): left · Gelu(right) for the halves of X + bias along the last axis.
package struct BiasSplitGelu: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "BiasSplitGelu", [("X", "T"), ("bias", "T")], [("Y", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let sum = x.add("Add", [try x.input(0), try x.input(1)])
    let halves = x.parts(2, "Split", [sum], ["axis": .int(-1), "num_outputs": .int(2)])
    x.result("Mul", [halves[0], x.add("Gelu", [halves[1]])])
  }
}
