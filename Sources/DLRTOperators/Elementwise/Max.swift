import CKernelSupport

/// ONNX Max (1–13): the greatest of all inputs, with broadcasting; NaN where any is.
package struct Max: VariadicOperator, NumericFormula {
  package static let schema = OperatorSchema.variadic(
    "Max", versions: [1, 6, 8, 12, 13], types: .numeric, output: "max")

  package typealias Formula = Max

  package init() {}

  package var kernel: dlk_binary { DLK_BINARY_MAX }

  package static func apply<T: NumericElement>(_ a: T, _ b: T) -> T { T.greatest(a, b) }
}
