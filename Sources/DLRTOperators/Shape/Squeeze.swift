import DLRTGraph

/// ONNX Squeeze (1–25): drops axes of size 1, those in `axes` or all; for every element type.
package struct Squeeze: Operator {
  package static let schema = OperatorSchema(
    "Squeeze", versions: [1, 11, 13, 21, 23, 24, 25], inputs: [("data", "T"), ("axes?", "A")],
    outputs: [("squeezed", "T")], types: ["T": .all, "A": .int64])

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    if version < 13 { try node.moveAttribute("axes", toInput: 1, in: &graph) }
  }

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let shape = try inference.shape(0)
    let dropped: [Int]
    if inference.has(1) {
      dropped = try inference.axes(try inference.integers(1), rank: shape.rank)
      for axis in dropped {
        guard shape[axis].value.map({ $0 == 1 }) ?? true else {
          throw DLRTError(
            .invalidModel, "axis \(axis) cannot be dropped", tensor: inference.name(0), expected: "size 1",
            got: "shape \(shape)")
        }
      }
    } else {
      // Without numbers not even the rank of the result is known.
      guard let sizes = shape.sizes else { throw Unresolved.shape(input: 0) }
      dropped = sizes.indices.filter { sizes[$0] == 1 }
    }
    let kept = shape.dims.indices.filter { !dropped.contains($0) }.map { shape[$0] }
    inference.set(0, type, Shape(kept), elements: kept.count <= 1 ? inference.inputs[0]?.elements : nil)
  }

  package func plan(_ planning: inout Planning) throws -> Step { .nothing }

  package var viewedInput: Int? { 0 }
}
