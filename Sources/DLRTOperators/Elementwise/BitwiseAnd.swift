/// ONNX BitwiseAnd (18): a & b on each bit, with broadcasting.
package struct BitwiseAnd: BitwiseBinaryOperator {
  package static let schema = OperatorSchema.binary("BitwiseAnd", versions: [18], types: .integers)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package static func apply(_ a: UInt8, _ b: UInt8) -> UInt8 { a & b }
}
