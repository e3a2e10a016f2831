import DLRTGraph

/// ONNX GreaterOrEqual (12–16): a ≥ b, with broadcasting.
package struct GreaterOrEqual: BinaryOperator {
  package static let schema = OperatorSchema.comparison("GreaterOrEqual", versions: [12, 16], types: .numeric)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package var inPlaceInputs: [Int] { [] }

  package func infer(_ inference: inout Inference) throws { try inference.binary(.bool, alignment, combine) }

  package func loop(_ type: DataType) throws -> BinaryLoop { try Comparison<LessOrEqual>.exchanged(type) }
}
