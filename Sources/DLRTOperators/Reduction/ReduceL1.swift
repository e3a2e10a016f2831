/// ONNX ReduceL1 (1–18): the sum of magnitudes over axes.
package struct ReduceL1: ReduceOperator {
  package static let schema = reduceSchema("ReduceL1", versions: [1, 11, 13, 18], wideTypes)
  package static let rule = ReductionRule.l1
  package let options: ReduceOptions

  package init(_ attributes: inout AttributeReader) throws { options = try ReduceOptions(&attributes) }
}
