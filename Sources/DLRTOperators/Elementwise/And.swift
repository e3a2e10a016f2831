/// ONNX And (1–7): true where both a and b are, with broadcasting.
package struct And: BitwiseBinaryOperator {
  package static let schema = OperatorSchema.binary("And", versions: [1, 7], types: .bool)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package static func apply(_ a: UInt8, _ b: UInt8) -> UInt8 { a & b }
}
