import DLRTGraph

/// ONNX SequenceEmpty (11): a sequence of tensors of type `dtype` (float32 by default) without elements.
package struct SequenceEmpty: Operator {
  package static let schema = OperatorSchema(
    "SequenceEmpty", versions: [11], inputs: [], outputs: [("output", "S")], types: [:])

  private let type: ValueType

  package init(_ attributes: inout AttributeReader) throws {
    type = .tensor(try attributes.optionalDataType("dtype") ?? .float32)
  }

  package func infer(_ inference: inout Inference) throws { inference.setType(0, .sequence(type)) }

  package func plan(_ planning: inout Planning) throws -> Step {
    Step(kernel: "sequence") { [type] io in try io.setValue(0, .sequence([], of: type)) }
  }
}
