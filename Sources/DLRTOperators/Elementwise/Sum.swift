import CKernelSupport

/// ONNX Sum (1–13): the sum of all inputs, with broadcasting.
package struct Sum: VariadicOperator {
  package static let schema = OperatorSchema.variadic(
    "Sum", versions: [1, 6, 8, 13], types: .floats, output: "sum")

  package typealias Formula = Add

  package init() {}

  package var kernel: dlk_binary { DLK_BINARY_ADD }
}
