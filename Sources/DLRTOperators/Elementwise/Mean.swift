import CKernelSupport

/// ONNX Mean (1–13): the mean of all inputs, with broadcasting.
package struct Mean: VariadicOperator {
  package static let schema = OperatorSchema.variadic(
    "Mean", versions: [1, 6, 8, 13], types: .floats, output: "mean")

  package typealias Formula = Add

  package init() {}

  package var kernel: dlk_binary { DLK_BINARY_ADD }
  package var isMean: Bool { true }
}
