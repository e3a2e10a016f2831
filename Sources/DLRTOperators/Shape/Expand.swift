import DLRTGraph

/// ONNX Expand (8–13): the input broadcast with `shape`, in both directions. For every element type.
package struct Expand: Operator {
  package static let schema = OperatorSchema(
    "Expand", versions: [8, 13], inputs: [("input", "T"), ("shape", "S")], outputs: [("output", "T")],
    types: ["T": .all, "S": .int64])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let target = Shape(try inference.dims(1))
    guard target.dims.allSatisfy({ ($0.value ?? 0) >= 0 }) else {
      throw DLRTError(.invalidModel, "negative size", tensor: inference.name(1), got: "\(target)")
    }
    let shape = try inference.broadcast(try inference.shape(0), target, inference.name(1))
    var elements: [Dim]?
    if shape.rank <= 1, let known = inference.inputs[0]?.elements, let count = shape.elementCount.value,
      count <= Fact.mostElements
    {
      elements = known.count == count ? known : known.first.map { [Dim](repeating: $0, count: count) }
    }
    inference.set(0, type, shape, elements: elements)
  }

  package func view(output index: Int, _ source: StridedView, _ planning: Planning) -> StridedView? {
    let shape = planning.shape(0)
    let sizes = planning.output(0).shape
    let missing = sizes.count - shape.count
    return StridedView(
      offset: source.offset,
      strides: sizes.indices.map { $0 < missing || shape[$0 - missing] == 1 ? 0 : source.strides[$0 - missing] })
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let sizes = planning.output(0).shape
    if sizes.product == 0 { return .nothing }
    let own = shape.rowMajorStrides
    let missing = sizes.count - shape.count
    let strides = sizes.indices.map { $0 < missing || shape[$0 - missing] == 1 ? 0 : own[$0 - missing] }
    let copy = try StridedCopy(planning.type(0), sizes: sizes, source: strides, target: sizes.rowMajorStrides)
    return Step(kernel: "strided") { io in copy.run(io.input(0), io.output(0), io) }
  }
}
