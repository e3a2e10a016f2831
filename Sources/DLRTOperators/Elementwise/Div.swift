import CKernelSupport
import DLRTGraph

/// ONNX Div (1–14): a / b, with broadcasting. Integers round towards zero, and give 0 for a divisor of 0.
package struct Div: NumericBinaryOperator {
  package static let schema = OperatorSchema.binary("Div", versions: [1, 6, 7, 13, 14], types: .numeric)

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package var kernel: dlk_binary? { DLK_BINARY_DIV }

  package func combine(_ a: Dim, _ b: Dim) -> Dim {
    guard let x = a.value, let y = b.value else { return a / b }
    return .known(Int(Int64.divide(Int64(x), Int64(y))))
  }

  package static func apply<T: NumericElement>(_ a: T, _ b: T) -> T { T.divide(a, b) }
}
