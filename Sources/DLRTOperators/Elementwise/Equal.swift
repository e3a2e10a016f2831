import DLRTGraph

/// ONNX Equal (1–19): a = b, with broadcasting, of numbers, bools and strings.
package struct Equal: ComparisonOperator {
  package static let schema = OperatorSchema.comparison(
    "Equal", versions: [1, 7, 11, 13, 19], types: [.numeric, .bool, .string])

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package func loop(_ type: DataType) throws -> BinaryLoop {
    switch type {
    case .string: Comparison<Equal>().loop(StringRef.self)
    default: try type.dispatch(Comparison<Equal>())
    }
  }

  package static func compare<T: Comparable>(_ a: T, _ b: T) -> Bool { a == b }

  /// Sizes are never negative, so a symbol differs from any negative number.
  package func combine(_ a: Dim, _ b: Dim) -> Dim {
    if a.provablyEquals(b) { return 1 }
    if a.provablyDiffers(b) { return 0 }
    let isNegative = (a.value ?? 0) < 0 || (b.value ?? 0) < 0
    return isNegative && (a.isPlainSymbol || b.isPlainSymbol) ? 0 : .unknown
  }
}

extension Dim {
  /// A size that the model names, as against the result of arithmetic.
  fileprivate var isPlainSymbol: Bool {
    if case .symbol(let text) = self { return !text.utf8.contains(UInt8(ascii: " ")) }
    return false
  }
}
