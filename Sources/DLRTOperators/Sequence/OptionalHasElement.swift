import DLRTGraph

/// ONNX OptionalHasElement (15–28): whether an optional holds something; true for tensors and sequences, false for an
/// absent input.
package struct OptionalHasElement: Operator {
  package static let schema = OperatorSchema(
    "OptionalHasElement", versions: [15, 18, 28], inputs: [("input?", "O")], outputs: [("output", "B")], types: [:])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws { inference.set(0, .bool, []) }

  package func plan(_ planning: inout Planning) throws -> Step {
    let hasInput = planning.has(0)
    var isOptional = false
    if hasInput, case .optional = planning.input(0).type { isOptional = true }
    return Step(kernel: "optional") { [isOptional] io in
      var found = hasInput
      if isOptional, case .optional(nil, _) = try io.value(0) { found = false }
      io.output(0, as: Bool.self).pointee = found
    }
  }
}
