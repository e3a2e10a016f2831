import DLRTGraph

/// ONNX Pad (1–25): adds `pads` places before and after axes (removes them where negative): a constant, the nearest
/// edge, a reflection, or the tensor again as on a torus. For every element type.
package struct Pad: Operator {
  package static let schema = OperatorSchema(
    "Pad", versions: [1, 2, 11, 13, 18, 19, 21, 23, 24, 25],
    inputs: [("data", "T"), ("pads", "P"), ("constant_value?", "T"), ("axes?", "I")], outputs: [("output", "T")],
    types: ["T": .all, "P": .int64, "I": .indices])

  private let mode: PaddedCopy.Mode

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard version < 11 else { return }
    try node.moveAttribute(version < 2 ? "paddings" : "pads", toInput: 1, in: &graph)
    guard case .float(let value)? = node.attributes.removeValue(forKey: "value"), value != 0 else { return }
    let constant = graph.addConstant(try Tensor(scalar: value))
    guard let data = node.input(0), graph[data].type != .tensor(.float32) else {
      node.setInput(2, constant)
      return
    }
    // The attribute was a float whatever the data; the input has the data's type.
    let converted = graph.addValue(Graph.Value(name: ""))
    graph.addNode(Node(OperatorName("CastLike"), inputs: [constant, data], outputs: [converted]))
    node.setInput(2, converted)
  }

  package init(_ attributes: inout AttributeReader) throws {
    mode = try attributes.choice("mode", default: PaddedCopy.Mode.constant)
  }

  private static let mostPadding: UInt = 1 << 48

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    var shape = try inference.shape(0)
    inference.set(0, type, Shape([Dim](repeating: .unknown, count: shape.rank)))
    let pads = try inference.dims(1)
    let axes = try inference.has(3) ? inference.axes(inference.integers(3), rank: shape.rank) : Array(0..<shape.rank)
    guard pads.count == 2 * axes.count else {
      throw DLRTError(
        .invalidModel, "not two numbers for each axis", tensor: inference.name(1), expected: "\(2 * axes.count)",
        got: "\(pads.count)")
    }
    guard pads.allSatisfy({ ($0.value ?? 0).magnitude <= Self.mostPadding }) else {
      throw DLRTError(
        .limitExceeded, "too much padding", tensor: inference.name(1), expected: "at most \(Self.mostPadding)",
        got: "\(Shape(pads))")
    }
    for (index, axis) in axes.enumerated() {
      let input = shape[axis]
      shape[axis] = input + pads[index] + pads[axes.count + index]
      if let size = shape[axis].value, size < 0 {
        throw DLRTError(
          .invalidModel, "cuts off more than axis \(axis) has", tensor: inference.name(1), expected: "at most \(input)",
          got: "\(pads[index]) and \(pads[axes.count + index])")
      }
    }
    if inference.has(2) {
      let count = try inference.shape(2).elementCount
      guard !count.provablyDiffers(1) else {
        throw DLRTError(
          .invalidModel, "not a single value", tensor: inference.name(2), expected: "1 element", got: "\(count)")
      }
    }
    inference.set(0, type, shape)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let pads = try planning.integers(1)
    let axes = try planning.has(3) ? planning.integers(3) : Array(shape.indices)
    var begins = [Int](repeating: 0, count: shape.count)
    var ends = begins
    for (index, entry) in axes.enumerated() {
      let axis = entry < 0 ? entry + shape.count : entry
      begins[axis] = pads[index]
      ends[axis] = pads[axes.count + index]
    }
    if planning.output(0).count == 0 { return .nothing }
    let type = planning.type(0)
    let copy = try PaddedCopy(type, shape: shape, begins: begins, ends: ends, mode: mode)
    let hasValue = planning.has(2)
    return Step(kernel: "padded") { io in
      let fill = hasValue ? ElementFill(type, at: io.input(2)) : ElementFill(zeroOf: type)
      copy.run(io.input(0), io.output(0), fill: fill, io)
    }
  }
}
