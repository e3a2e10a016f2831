/// ONNX ReduceMean (1–18): the mean over axes; integers round towards zero.
package struct ReduceMean: ReduceOperator {
  package static let schema = reduceSchema("ReduceMean", versions: [1, 11, 13, 18], wideTypes)
  package static let rule = ReductionRule.mean
  package let options: ReduceOptions

  package init(_ attributes: inout AttributeReader) throws { options = try ReduceOptions(&attributes) }
}
