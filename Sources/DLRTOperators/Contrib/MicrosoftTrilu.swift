/// com.microsoft Trilu (1): ONNX's Trilu (14).
package struct MicrosoftTrilu: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "Trilu", [("X", "T"), ("k?", "I")], [("Y", "T")], ["T": .all, "I": .int64])

  package static func expand(_ x: inout Expansion) throws { x.rename("Trilu", ["upper"]) }
}
