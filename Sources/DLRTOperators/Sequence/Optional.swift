import DLRTGraph

/// ONNX Optional (15–28): an optional that holds the input; without one, an empty optional of the attribute's type.
package struct OptionalOperator: Operator {
  package static let schema = OperatorSchema(
    "Optional", versions: [15, 28], inputs: [("input?", "V")], outputs: [("output", "O")], types: [:])

  private let type: ValueType?

  package init(_ attributes: inout AttributeReader) throws {
    type = try attributes.optionalType("type")
  }

  package func infer(_ inference: inout Inference) throws {
    guard inference.has(0) else {
      guard let type else { throw DLRTError(.invalidModel, "neither an input nor a type", tensor: "type") }
      inference.setType(0, .optional(type))
      return
    }
    let given = try inference.fact(0).type
    if let type, type != given {
      throw DLRTError(
        .invalidModel, "the input is not of the attribute's type", tensor: inference.name(0), expected: "\(type)",
        got: "\(given)")
    }
    inference.setType(0, .optional(given))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let hasInput = planning.has(0)
    let type = hasInput ? planning.input(0).type : type ?? .tensor(.float32)
    return Step(kernel: "optional") { io in
      try io.setValue(0, .optional(hasInput ? try io.ownedValue(0) : nil, of: type))
    }
  }
}
