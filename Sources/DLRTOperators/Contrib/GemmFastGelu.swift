import DLRTGraph

/// com.microsoft GemmFastGelu (1): Gelu(X · W + bias) in the approximation by tanh.
package struct GemmFastGelu: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "GemmFastGelu", [("X", "T"), ("W", "T"), ("bias?", "T")], [("Y", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    var value = x.add("MatMul", [try x.input(0), try x.input(1)])
    if let bias = x.optional(2) { value = x.add("Add", [value, bias]) }
    x.result("Gelu", [value], ["approximate": .string("tanh")])
  }
}
