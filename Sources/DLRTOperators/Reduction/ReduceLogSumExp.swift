/// ONNX ReduceLogSumExp (1–28): the logarithm of the sum of exponentials over axes, without overflow; minus infinity
/// where there is nothing.
package struct ReduceLogSumExp: ReduceOperator {
  package static let schema = reduceSchema("ReduceLogSumExp", versions: [1, 11, 13, 18, 28], .floats)
  package static let rule = ReductionRule.logSumExp
  package let options: ReduceOptions

  package init(_ attributes: inout AttributeReader) throws { options = try ReduceOptions(&attributes) }
}
