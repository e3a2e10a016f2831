import DLRTGraph

/// ONNX Flatten (1–25): the axes before `axis` become one, and the others another; for every element type.
package struct Flatten: Operator {
  package static let schema = OperatorSchema(
    "Flatten", versions: [1, 9, 11, 13, 21, 23, 24, 25], inputs: [("input", "T")], outputs: [("output", "T")],
    types: ["T": .all])

  private let axis: Int

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: 1)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let shape = try inference.shape(0)
    // The axis may be the rank itself: then everything is in the first dimension.
    let split = axis == shape.rank ? axis : try inference.axis(axis, rank: shape.rank)
    inference.set(0, type, [shape.product(0..<split), shape.product(split..<shape.rank)])
  }

  package func plan(_ planning: inout Planning) throws -> Step { .nothing }

  package var viewedInput: Int? { 0 }
}
