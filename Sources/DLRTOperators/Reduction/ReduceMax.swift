/// ONNX ReduceMax (1–20): the largest element over axes; NaN wins; the least value of the type where there is nothing.
package struct ReduceMax: ReduceOperator {
  package static let schema = reduceSchema(
    "ReduceMax", versions: [1, 11, 12, 13, 18, 20], [wideTypes, TypeSet(.int8, .uint8, .bool)])
  package static let rule = ReductionRule.max
  package let options: ReduceOptions

  package init(_ attributes: inout AttributeReader) throws { options = try ReduceOptions(&attributes) }
}
