/// ONNX ReduceMin (1–20): the smallest element over axes; NaN wins; the greatest value of the type where there is
/// nothing.
package struct ReduceMin: ReduceOperator {
  package static let schema = reduceSchema(
    "ReduceMin", versions: [1, 11, 12, 13, 18, 20], [wideTypes, TypeSet(.int8, .uint8, .bool)])
  package static let rule = ReductionRule.min
  package let options: ReduceOptions

  package init(_ attributes: inout AttributeReader) throws { options = try ReduceOptions(&attributes) }
}
