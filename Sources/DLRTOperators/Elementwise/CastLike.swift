import DLRTGraph

/// ONNX CastLike (15–25): every element of the first input converted to the second one's type; see `Cast`.
package struct CastLike: Operator {
  package static let schema = OperatorSchema(
    "CastLike", versions: [15, 19, 21, 23, 24, 25], inputs: [("input", "T1"), ("target_type", "T2")],
    outputs: [("output", "T2")], types: ["T1": .castable, "T2": .castable])

  private let rounding: FloatRounding

  package init(_ attributes: inout AttributeReader) throws { rounding = try FloatRounding(&attributes) }

  package var inPlaceInputs: [Int] { [0] }

  package func infer(_ inference: inout Inference) throws {
    try inference.converted(to: try inference.type(1))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    .conversion(planning, to: planning.type(1), rounding)
  }
}
