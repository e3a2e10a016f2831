/// ONNX ReduceSumSquare (1–18): the sum of squares over axes.
package struct ReduceSumSquare: ReduceOperator {
  package static let schema = reduceSchema("ReduceSumSquare", versions: [1, 11, 13, 18], wideTypes)
  package static let rule = ReductionRule.sumSquare
  package let options: ReduceOptions

  package init(_ attributes: inout AttributeReader) throws { options = try ReduceOptions(&attributes) }
}
