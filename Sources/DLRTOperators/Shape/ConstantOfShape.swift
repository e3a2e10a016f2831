import DLRTGraph

/// ONNX ConstantOfShape (9–25): a tensor of the shape in the input, every element of it `value` (float32 0 by default).
package struct ConstantOfShape: Operator {
  package static let schema = OperatorSchema(
    "ConstantOfShape", versions: [9, 20, 21, 23, 24, 25], inputs: [("input", "T1")], outputs: [("output", "T2")],
    types: ["T1": .int64, "T2": .all])

  private let value: Tensor

  package init(_ attributes: inout AttributeReader) throws {
    value = try attributes.optionalTensor("value") ?? Tensor(scalar: Float(0))
    guard value.count == 1 else {
      throw DLRTError(
        .invalidModel, "not a single value", tensor: "value", expected: "1 element", got: "\(value.count)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, value.type)
    let shape = Shape(try inference.dims(0))
    guard shape.dims.allSatisfy({ ($0.value ?? 0) >= 0 }) else {
      throw DLRTError(.invalidModel, "negative size", tensor: inference.name(0), got: "\(shape)")
    }
    var elements: [Dim]?
    if shape.rank <= 1, let count = shape.elementCount.value, count <= Fact.mostElements,
      let number = Fact(constant: value).elements?.first
    {
      elements = [Dim](repeating: number, count: count)
    }
    inference.set(0, value.type, shape, elements: elements)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let count = planning.output(0).count
    let fill = value.withUnsafeBytes { _ in ElementFill(value.type, at: value.pointer) }
    // A string's bytes belong to the tensor, which the step keeps.
    return Step(kernel: "fill") { [value] io in
      withExtendedLifetime(value) { fill.write(to: io.output(0), count: count, io) }
    }
  }
}
