import DLRTGraph

/// com.microsoft FusedGemm (1): activation(Gemm(A, B, C)); attributes of Gemm, `activation` and its parameters.
package struct FusedGemm: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "FusedGemm", [("A", "T"), ("B", "T"), ("C?", "T")], [("Y", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let activation = try x.attributes.optionalString("activation")
    var parameters: [Float] = []
    for name in ["activation_alpha", "activation_beta", "activation_gamma"] {
      if let parameter = try x.attributes.optionalFloat(name) { parameters.append(parameter) }
    }
    let own = x.take(["alpha", "beta", "transA", "transB"])
    let value = x.add("Gemm", [try x.input(0), try x.input(1), x.optional(2)], own)
    try x.activate(value, activation, parameters)
  }
}
