import DLRTGraph

/// ONNX SequenceInsert (11): the sequence with a tensor put in at `position`, which may count from the end; without it
/// at the end.
package struct SequenceInsert: Operator {
  package static let schema = OperatorSchema(
    "SequenceInsert", versions: [11], inputs: [("input_sequence", "S"), ("tensor", "T"), ("position?", "I")],
    outputs: [("output_sequence", "S")], types: ["I": .indices])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let element = try inference.elementType(0)
    inference.setType(0, .sequence(element))
    let type = try inference.fact(1).type
    guard type == element else {
      throw DLRTError(
        .invalidModel, "the tensor is not of the sequence's type", tensor: inference.name(1), expected: "\(element)",
        got: "\(type)")
    }
    try inference.checkPosition(2)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let type = planning.input(1).type
    let position = planning.has(2) ? planning.type(2) : nil
    return Step(kernel: "sequence") { io in
      var elements = try io.elements(0)
      let place = try position.map { try io.position(2, $0, count: elements.count, past: 1) } ?? elements.count
      elements.insert(try io.ownedValue(1), at: place)
      try io.setValue(0, .sequence(elements, of: type))
    }
  }
}
