/// com.microsoft BiasAdd (1): X + bias + skip, bias a vector over the last axis.
package struct BiasAdd: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "BiasAdd", [("X", "T"), ("bias", "T"), ("skip", "T")], [("Y", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    x.result("Add", [x.add("Add", [try x.input(0), try x.input(1)]), try x.input(2)])
  }
}
