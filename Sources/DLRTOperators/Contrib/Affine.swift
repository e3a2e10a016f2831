import DLRTGraph

/// Affine (1), an experimental operator of ONNX's own domain: alpha · X + beta.
package struct Affine: CompositeOperator {
  package static let schema = OperatorSchema(
    "Affine", versions: [1], inputs: [("X", "T")], outputs: [("Y", "T")], types: ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let value = try x.input(0)
    let alpha = try x.attributes.float("alpha", default: 1)
    let beta = try x.attributes.float("beta", default: 0)
    let scaled = x.add("Mul", [value, try x.number(alpha, like: value)])
    x.result("Add", [scaled, try x.number(beta, like: value)])
  }
}
