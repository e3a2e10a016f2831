/// ONNX Or (1–7): true where at least one of a and b is, with broadcasting.
package struct Or: BitwiseBinaryOperator {
  package static let schema = OperatorSchema.binary("Or", versions: [1, 7], types: .bool)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package static func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a | b }
}
