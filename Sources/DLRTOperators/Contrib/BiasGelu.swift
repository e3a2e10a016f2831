/// com.microsoft BiasGelu (1): Gelu(A + B), B a vector over the last axis.
package struct BiasGelu: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "BiasGelu", [("A", "T"), ("B", "T")], [("C", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    x.result("Gelu", [x.add("Add", [try x.input(0), try x.input(1)])])
  }
}
