import DLRTGraph

/// ONNX OptionalGetElement (15–28): what an optional holds, an error when it is empty; tensors and sequences are passed
/// on.
package struct OptionalGetElement: Operator {
  package static let schema = OperatorSchema(
    "OptionalGetElement", versions: [15, 18, 28], inputs: [("input", "O")], outputs: [("output", "V")], types: [:])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let fact = try inference.fact(0)
    guard case .optional(let content) = fact.type else {
      inference.set(0, fact)
      return
    }
    if content.dataType == nil {
      inference.setType(0, content)
    } else {
      inference.setDataDependent(0, content)
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    if planning.input(0).type.dataType != nil {
      let bytes = planning.input(0).byteCount
      return Step(kernel: "copy") { io in io.copy(io.input(0), to: io.output(0), bytes: bytes) }
    }
    return Step(kernel: "optional") { io in
      let value = try io.value(0)
      guard case .optional(let content, _) = value else { return try io.setValue(0, value) }
      guard let content else {
        throw DLRTError(.invalidInput, "the optional is empty", tensor: "input")
      }
      try io.setValue(0, content)
    }
  }
}
