/// ONNX Xor (1–7): true where exactly one of a and b is, with broadcasting.
package struct Xor: BitwiseBinaryOperator {
  package static let schema = OperatorSchema.binary("Xor", versions: [1, 7], types: .bool)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package static func apply(_ a: UInt8, _ b: UInt8) -> UInt8 { a ^ b }
}
