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

  package func loop(_ type: DataType) throws -> BinaryLoop {
    type.isFloat ? try type.dispatch(Real()) : try type.dispatch(Whole())
  }

  private struct Real: FloatTask {
    func run<T: RealElement>(_ type: T.Type) -> BinaryLoop { NumericCombine<Div>().run(type) }
  }

  private struct Whole: IntegerTask {
    func run<T: NumericElement & FixedWidthInteger>(_ type: T.Type) -> BinaryLoop {
      { x, y, out, count in
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        let out = out.assumingMemoryBound(to: T.self)
        for index in 0..<count { out[index] = T.divide(x[index], y[index]) }
      }
    }
  }

  package static func apply<T: NumericElement>(_ a: T, _ b: T) -> T { T.divide(a, b) }
}
