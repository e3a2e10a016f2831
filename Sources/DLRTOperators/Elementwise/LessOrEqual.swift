/// ONNX LessOrEqual (12–16): a ≤ b, with broadcasting.
package struct LessOrEqual: ComparisonOperator {
  package static let schema = OperatorSchema.comparison("LessOrEqual", versions: [12, 16], types: .numeric)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package static func compare<T: Comparable>(_ a: T, _ b: T) -> Bool { a <= b }
}
