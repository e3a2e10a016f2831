import DLRTGraph

/// com.microsoft FastGelu (1): Gelu(X + bias) in the approximation by tanh.
package struct FastGelu: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "FastGelu", [("X", "T"), ("bias?", "T")], [("Y", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    var value = try x.input(0)
    if let bias = x.optional(1) { value = x.add("Add", [value, bias]) }
    x.result("Gelu", [value], ["approximate": .string("tanh")])
  }
}
