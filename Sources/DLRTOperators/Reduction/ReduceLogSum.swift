/// ONNX ReduceLogSum (1–28): the logarithm of the sum over axes; minus infinity where there is nothing.
package struct ReduceLogSum: ReduceOperator {
  package static let schema = reduceSchema("ReduceLogSum", versions: [1, 11, 13, 18, 28], .floats)
  package static let rule = ReductionRule.logSum
  package let options: ReduceOptions

  package init(_ attributes: inout AttributeReader) throws { options = try ReduceOptions(&attributes) }
}
