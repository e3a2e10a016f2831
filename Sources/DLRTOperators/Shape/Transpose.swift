import DLRTGraph

/// ONNX Transpose (1–25): axis `i` of the result is axis `perm[i]` of the input, by default in reverse order; for every
/// element type.
package struct Transpose: Operator {
  package static let schema = OperatorSchema(
    "Transpose", versions: [1, 13, 21, 23, 24, 25], inputs: [("data", "T")], outputs: [("transposed", "T")],
    types: ["T": .all])

  package let permutation: [Int]?

  package init(_ attributes: inout AttributeReader) throws {
    permutation = try attributes.optionalInts("perm")
  }

  private func order(_ rank: Int) throws(DLRTError) -> [Int] {
    guard let permutation else { return Array((0..<rank).reversed()) }
    // Some exporters count axes from the end here too.
    let order = permutation.map { $0 < 0 ? $0 + rank : $0 }
    guard order.sorted() == Array(0..<rank) else {
      throw DLRTError(
        .invalidModel, "not a permutation of the axes", tensor: "perm", expected: "0..<\(rank) in some order",
        got: "\(permutation)")
    }
    return order
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let shape = try inference.shape(0)
    let order = try order(shape.rank)
    inference.set(
      0, type, Shape(order.map { shape[$0] }), elements: shape.rank <= 1 ? inference.inputs[0]?.elements : nil)
  }

  package func view(output index: Int, _ source: StridedView, _ planning: Planning) -> StridedView? {
    (try? order(planning.shape(0).count)).map { source.permuted($0) }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let order = try order(shape.count)
    let sizes = order.map { shape[$0] }
    let strides = shape.rowMajorStrides
    let copy = try StridedCopy(
      planning.type(0), sizes: sizes, source: order.map { strides[$0] }, target: sizes.rowMajorStrides)
    return Step(kernel: "strided") { io in copy.run(io.input(0), io.output(0), io) }
  }
}
