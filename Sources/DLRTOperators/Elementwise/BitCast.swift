import DLRTGraph

/// ONNX BitCast (26): the same bits read as another element type of the same width.
package struct BitCast: Operator {
  package static let schema = OperatorSchema(
    "BitCast", versions: [26], inputs: [("input", "T1")], outputs: [("output", "T2")],
    types: ["T1": .all.subtracting(.string), "T2": .all.subtracting(.string)])

  private let type: DataType

  package init(_ attributes: inout AttributeReader) throws {
    guard let type = try attributes.optionalDataType("to") else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "to")
    }
    self.type = type
  }

  package func infer(_ inference: inout Inference) throws {
    let source = try inference.type(0)
    guard source.packedBits == type.packedBits, type != .string else {
      throw DLRTError(
        .invalidModel, "the element types differ in width", tensor: "to", expected: "\(source.packedBits) bits",
        got: type.name)
    }
    inference.setType(0, type)
    inference.set(0, type, try inference.shape(0))
  }

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    let type = type
    return .unary(planning) { x, y, count in
      if x != UnsafeRawPointer(y) { y.copyMemory(from: x, byteCount: count &* type.size) }
      // Types below eight bits take a byte, which extends their sign.
      if type.packedBits < 8 { ElementConverter.extend(type, y, count) }
    }
  }
}
