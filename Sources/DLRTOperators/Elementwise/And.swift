/// ONNX And (1–7): true where both a and b are, with broadcasting.
package struct And: BitwiseBinaryOperator {
  package static let schema = OperatorSchema.binary("And", versions: [1, 7], types: .bool)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package static func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a & b }
}
