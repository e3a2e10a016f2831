/// ONNX ReduceSum (1–13): the sum over axes; integers wrap around; 0 where there is nothing.
package struct ReduceSum: ReduceOperator {
  package static let schema = reduceSchema("ReduceSum", versions: [1, 11, 13], wideTypes)
  package static let rule = ReductionRule.sum
  package static let axesInputVersion = 13
  package let options: ReduceOptions

  package init(_ attributes: inout AttributeReader) throws { options = try ReduceOptions(&attributes) }
}
