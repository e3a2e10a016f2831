import DLRTGraph

/// ONNX Scatter (9–11): the former name of ScatterElements without reductions.
package struct Scatter: Operator {
  package static let schema = OperatorSchema(
    "Scatter", versions: [9, 11], inputs: [("data", "T"), ("indices", "I"), ("updates", "T")],
    outputs: [("output", "T")], types: ["T": .all, "I": .indices])

  private let elements: ScatterElements

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    node.op = ScatterElements.schema.op
  }

  package init(_ attributes: inout AttributeReader) throws { elements = try ScatterElements(&attributes) }

  package func infer(_ inference: inout Inference) throws { try elements.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step { try elements.plan(&planning) }
}
