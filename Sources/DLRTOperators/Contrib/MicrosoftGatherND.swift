/// com.microsoft GatherND (1): ONNX's GatherND (11).
package struct MicrosoftGatherND: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "GatherND", [("data", "T"), ("indices", "I")], [("output", "T")], ["T": .all, "I": .indices])

  package static func expand(_ x: inout Expansion) throws {
    x.result("GatherND", [try x.input(0), x.cast(try x.input(1), .int64)])
  }
}
