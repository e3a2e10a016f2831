import DLRTGraph

/// ONNX Constant (1–25): a value given as one of the attributes. Importing a model turns such nodes into constants.
package struct Constant: Operator {
  package static let schema = OperatorSchema(
    "Constant", versions: [1, 9, 11, 12, 13, 19, 21, 23, 24, 25], inputs: [], outputs: [("output", "T")], types: [:])

  private let value: Tensor

  package init(_ attributes: inout AttributeReader) throws {
    value = try Self.value(&attributes)
  }

  private static func value(_ attributes: inout AttributeReader) throws -> Tensor {
    // A sparse value is dense by now.
    for name in ["value", "sparse_value"] {
      if let tensor = try attributes.optionalTensor(name) { return tensor }
    }
    if let number = try attributes.optionalFloat("value_float") { return try Tensor(scalar: number) }
    if let numbers = try attributes.optionalFloats("value_floats") {
      return try Tensor(numbers, shape: [numbers.count])
    }
    if let number = try attributes.optionalInt("value_int") { return try Tensor(int64: [number], shape: []) }
    if let numbers = try attributes.optionalInts("value_ints") { return try Tensor(int64: numbers) }
    if let text = try attributes.optionalString("value_string") { return try Tensor([text], shape: []) }
    if let texts = try attributes.optionalStrings("value_strings") { return try Tensor(texts, shape: [texts.count]) }
    throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "value")
  }

  package func infer(_ inference: inout Inference) throws { inference.set(0, Fact(constant: value)) }

  package func plan(_ planning: inout Planning) throws -> Step {
    Step(kernel: "constant") { [value] io in
      value.withUnsafeBytes { bytes in
        if let start = bytes.baseAddress { io.copy(start, to: io.output(0), bytes: bytes.count) }
      }
    }
  }
}
