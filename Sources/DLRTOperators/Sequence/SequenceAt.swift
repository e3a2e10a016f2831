import DLRTGraph

/// ONNX SequenceAt (11): the element at `position`, which may count from the end.
package struct SequenceAt: Operator {
  package static let schema = OperatorSchema(
    "SequenceAt", versions: [11], inputs: [("input_sequence", "S"), ("position", "I")], outputs: [("tensor", "T")],
    types: ["I": .indices])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    inference.setDataDependent(0, try inference.elementType(0))
    try inference.checkPosition(1)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let position = planning.type(1)
    return Step(kernel: "sequence") { io in
      let elements = try io.elements(0)
      try io.setValue(0, elements[try io.position(1, position, count: elements.count)])
    }
  }
}
