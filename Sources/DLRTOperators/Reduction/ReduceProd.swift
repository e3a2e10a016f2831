/// ONNX ReduceProd (1–18): the product over axes; integers wrap around; 1 where there is nothing.
package struct ReduceProd: ReduceOperator {
  package static let schema = reduceSchema("ReduceProd", versions: [1, 11, 13, 18], wideTypes)
  package static let rule = ReductionRule.product
  package let options: ReduceOptions

  package init(_ attributes: inout AttributeReader) throws { options = try ReduceOptions(&attributes) }
}
