import DLRTGraph

/// ImageScaler (1), an experimental operator of ONNX's own domain: scale · input + bias of the channel, for images
/// [N, C, H, W].
package struct ImageScaler: CompositeOperator {
  package static let schema = OperatorSchema(
    "ImageScaler", versions: [1], inputs: [("input", "T")], outputs: [("output", "T")], types: ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let value = try x.input(0)
    let scale = try x.attributes.float("scale", default: 1)
    let biases = try x.attributes.optionalFloats("bias") ?? []
    let scaled = x.add("Mul", [value, try x.number(scale, like: value)])
    guard !biases.isEmpty else { return x.hand(scaled, to: 0) }
    let bias = x.constant(try Tensor(biases, shape: [biases.count, 1, 1]))
    x.result("Add", [scaled, x.add("CastLike", [bias, value])])
  }
}
