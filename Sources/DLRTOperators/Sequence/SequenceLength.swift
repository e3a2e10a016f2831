import DLRTGraph

/// ONNX SequenceLength (11): the number of elements as an int64 scalar.
package struct SequenceLength: Operator {
  package static let schema = OperatorSchema(
    "SequenceLength", versions: [11], inputs: [("input_sequence", "S")], outputs: [("length", "I")], types: [:])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    inference.set(0, .int64, [])
    _ = try inference.elementType(0)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    Step(kernel: "sequence") { io in io.output(0, as: Int64.self).pointee = Int64(try io.elements(0).count) }
  }
}
