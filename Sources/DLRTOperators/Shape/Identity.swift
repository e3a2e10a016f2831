/// ONNX Identity (1–25): the same value. Takes tensors, sequences and optionals.
package struct Identity: Operator {
  package static let schema = OperatorSchema(
    "Identity", versions: [1, 13, 14, 16, 19, 21, 23, 24, 25], inputs: [("input", "V")], outputs: [("output", "V")],
    types: [:])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    inference.set(0, try inference.fact(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step { .nothing }

  package var viewedInput: Int? { 0 }
}
