import DLRTGraph

/// ONNX SequenceErase (11): the sequence without the element at `position`, which may count from the end; by default
/// without its last.
package struct SequenceErase: Operator {
  package static let schema = OperatorSchema(
    "SequenceErase", versions: [11], inputs: [("input_sequence", "S"), ("position?", "I")],
    outputs: [("output_sequence", "S")], types: ["I": .indices])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .sequence(try inference.elementType(0)))
    try inference.checkPosition(1)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let position = planning.has(1) ? planning.type(1) : nil
    return Step(kernel: "sequence") { io in
      let value = try io.value(0)
      guard case .sequence(var elements, let type) = value, !elements.isEmpty else {
        throw DLRTError(.invalidInput, "nothing to erase", tensor: "input_sequence", expected: "1 element or more")
      }
      let place = try position.map { try io.position(1, $0, count: elements.count) } ?? elements.count - 1
      elements.remove(at: place)
      try io.setValue(0, .sequence(elements, of: type))
    }
  }
}
