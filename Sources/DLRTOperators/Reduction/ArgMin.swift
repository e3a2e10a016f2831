/// ONNX ArgMin (1–13): the index of the smallest element along one axis, as int64.
package struct ArgMin: Operator {
  package static let schema = ArgReduction.schema("ArgMin")
  package static let promotedTypes = TypeSet.halfFloats
  private let reduction: ArgReduction

  package init(_ attributes: inout AttributeReader) throws { reduction = try ArgReduction(&attributes) }
  package func infer(_ inference: inout Inference) throws { try reduction.infer(&inference) }
  package func plan(_ planning: inout Planning) throws -> Step { try reduction.plan(&planning, ascending: true) }
}
