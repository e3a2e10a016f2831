import DLRTGraph

/// ONNX SequenceConstruct (11): a sequence of the inputs, which are tensors of one element type.
package struct SequenceConstruct: Operator {
  package static let schema = OperatorSchema(
    "SequenceConstruct", versions: [11], inputs: [("inputs...", "T")], outputs: [("output_sequence", "S")],
    types: ["T": .all])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .sequence(.tensor(try inference.type(0))))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let type = planning.input(0).type
    let count = planning.inputs.count
    return Step(kernel: "sequence") { io in
      var elements: [Value] = []
      for index in 0..<count { elements.append(try io.ownedValue(index)) }
      try io.setValue(0, .sequence(elements, of: type))
    }
  }
}
