import DLRTGraph

/// Scale (1), an experimental operator of ONNX's own domain: scale · input.
package struct Scale: CompositeOperator {
  package static let schema = OperatorSchema(
    "Scale", versions: [1], inputs: [("input", "T")], outputs: [("output", "T")], types: ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let value = try x.input(0)
    x.result("Mul", [value, try x.number(try x.attributes.float("scale", default: 1), like: value)])
  }
}
