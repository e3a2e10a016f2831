import DLRTGraph

/// ScaledTanh (1), an experimental operator of ONNX's own domain: alpha · tanh(beta · X).
package struct ScaledTanh: CompositeOperator {
  package static let schema = OperatorSchema(
    "ScaledTanh", versions: [1], inputs: [("X", "T")], outputs: [("Y", "T")], types: ["T": .floats])

  package static func expand(_ x: inout Expansion) throws { try x.scaled("Tanh") }
}

/// ParametricSoftplus (1), an experimental operator of ONNX's own domain: alpha · softplus(beta · X).
package struct ParametricSoftplus: CompositeOperator {
  package static let schema = OperatorSchema(
    "ParametricSoftplus", versions: [1], inputs: [("X", "T")], outputs: [("Y", "T")], types: ["T": .floats])

  package static func expand(_ x: inout Expansion) throws { try x.scaled("Softplus") }
}

extension Expansion {
  fileprivate mutating func scaled(_ function: String) throws {
    let value = try input(0)
    let alpha = try attributes.float("alpha", default: 1)
    let beta = try attributes.float("beta", default: 1)
    let inner = add("Mul", [value, try number(beta, like: value)])
    result("Mul", [add(function, [inner]), try number(alpha, like: value)])
  }
}
