/// ONNX Less (1–13): a < b, with broadcasting.
package struct Less: ComparisonOperator {
  package static let schema = OperatorSchema.comparison("Less", versions: [1, 7, 9, 13], types: .numeric)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package static func compare<T: Comparable>(_ a: T, _ b: T) -> Bool { a < b }
}
