import DLRTGraph

/// ONNX Unsqueeze (1–25): inserts axes of size 1 where `axes` says, counted in the result; for every element type.
package struct Unsqueeze: Operator {
  package static let schema = OperatorSchema(
    "Unsqueeze", versions: [1, 11, 13, 21, 23, 24, 25], inputs: [("data", "T"), ("axes", "A")],
    outputs: [("expanded", "T")], types: ["T": .all, "A": .int64])

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    if version < 13 { try node.moveAttribute("axes", toInput: 1, in: &graph) }
  }

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let axes = try inference.integers(1)
    let shape = try inference.shape(0)
    let rank = shape.rank + axes.count
    let inserted = try inference.axes(axes, rank: rank)
    var rest = shape.dims[...]
    let dims = (0..<rank).map { inserted.contains($0) ? Dim.known(1) : rest.popFirst() ?? .unknown }
    inference.set(0, type, Shape(dims), elements: rank <= 1 ? inference.inputs[0]?.elements : nil)
  }

  package func plan(_ planning: inout Planning) throws -> Step { .nothing }

  package var viewedInput: Int? { 0 }
}
