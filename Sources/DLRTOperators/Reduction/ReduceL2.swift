/// ONNX ReduceL2 (1–18): the root of the sum of squares over axes; integers round towards zero.
package struct ReduceL2: ReduceOperator {
  package static let schema = reduceSchema("ReduceL2", versions: [1, 11, 13, 18], wideTypes)
  package static let rule = ReductionRule.l2
  package let options: ReduceOptions

  package init(_ attributes: inout AttributeReader) throws { options = try ReduceOptions(&attributes) }
}
