import CKernelSupport

/// ONNX Min (1–13): the least of all inputs, with broadcasting; NaN where any is.
package struct Min: VariadicOperator, NumericFormula {
  package static let schema = OperatorSchema.variadic(
    "Min", versions: [1, 6, 8, 12, 13], types: .numeric, output: "min")

  package typealias Formula = Min

  package init() {}

  package var kernel: dlk_binary { DLK_BINARY_MIN }

  package static func apply<T: NumericElement>(_ a: T, _ b: T) -> T { T.least(a, b) }
}
