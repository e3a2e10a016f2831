import DLRTGraph

/// ONNX Size (1–25): the number of elements as an int64 scalar.
package struct Size: Operator {
  package static let schema = OperatorSchema(
    "Size", versions: [1, 13, 19, 21, 23, 24, 25], inputs: [("data", "T")], outputs: [("size", "T1")],
    types: ["T": .all, "T1": .int64])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    inference.set(0, .int64, [])
    inference.set(0, .int64, [], elements: [try inference.shape(0).elementCount])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let count = Int64(planning.input(0).count)
    return Step(kernel: "size") { io in io.output(0, as: Int64.self).pointee = count }
  }

  package var readsOnlyShapes: Bool { true }
}
