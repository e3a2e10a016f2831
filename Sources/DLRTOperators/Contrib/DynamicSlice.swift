/// DynamicSlice (1), an experimental operator of ONNX's own domain: Slice (10) without steps.
package struct DynamicSlice: CompositeOperator {
  package static let schema = OperatorSchema(
    "DynamicSlice", versions: [1], inputs: [("data", "T"), ("starts", "I"), ("ends", "I"), ("axes?", "I")],
    outputs: [("output", "T")], types: ["T": .all, "I": .indices])

  package static func expand(_ x: inout Expansion) throws { x.rename("Slice") }
}
