import DLRTGraph

/// ONNX Greater (1–13): a > b, with broadcasting.
package struct Greater: BinaryOperator {
  package static let schema = OperatorSchema.comparison("Greater", versions: [1, 7, 9, 13], types: .numeric)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package var inPlaceInputs: [Int] { [] }

  package func infer(_ inference: inout Inference) throws { try inference.binary(.bool, alignment, combine) }

  package func loop(_ type: DataType) throws -> BinaryLoop { try Comparison<Less>.exchanged(type) }
}
