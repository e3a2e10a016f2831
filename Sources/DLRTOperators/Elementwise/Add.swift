import CKernelSupport
import DLRTGraph

/// ONNX Add (1–14): a + b, with broadcasting; integers wrap around.
package struct Add: NumericBinaryOperator {
  package static let schema = OperatorSchema.binary("Add", versions: [1, 6, 7, 13, 14], types: .numeric)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package var kernel: dlk_binary? { DLK_BINARY_ADD }

  package func combine(_ a: Dim, _ b: Dim) -> Dim { a + b }

  package static func apply<T: NumericElement>(_ a: T, _ b: T) -> T { T.add(a, b) }
}
