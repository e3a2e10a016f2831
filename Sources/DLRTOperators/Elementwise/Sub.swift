import CKernelSupport
import DLRTGraph

/// ONNX Sub (1–14): a − b, with broadcasting; integers wrap around.
package struct Sub: NumericBinaryOperator {
  package static let schema = OperatorSchema.binary("Sub", versions: [1, 6, 7, 13, 14], types: .numeric)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package var kernel: dlk_binary? { DLK_BINARY_SUB }

  package func combine(_ a: Dim, _ b: Dim) -> Dim { a - b }

  package static func apply<T: NumericElement>(_ a: T, _ b: T) -> T { T.subtract(a, b) }
}
