import DLRTGraph

/// ONNX Shape (1–25): the sizes of axes `start..<end` as int64.
///
/// The type is named after what it is, since `Shape` itself is the engine's own type.
package struct ShapeOperator: Operator {
  package static let schema = OperatorSchema(
    "Shape", versions: [1, 13, 15, 19, 21, 23, 24, 25], inputs: [("data", "T")], outputs: [("shape", "T1")],
    types: ["T": .all, "T1": .int64])

  private let start: Int
  private let end: Int?

  package init(_ attributes: inout AttributeReader) throws {
    start = try attributes.int("start", default: 0)
    end = try attributes.optionalInt("end")
  }

  /// Axes beyond either end are left out, as a slice would.
  private func range(_ rank: Int) -> Range<Int> {
    func place(_ axis: Int) -> Int { max(0, min(axis < 0 ? axis + rank : axis, rank)) }
    let first = place(start)
    return first..<max(first, place(end ?? rank))
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .int64)
    let shape = try inference.shape(0)
    let dims = Array(shape.dims[range(shape.rank)])
    inference.set(0, .int64, [.known(dims.count)], elements: dims)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let sizes = Array(shape[range(shape.count)])
    return Step(kernel: "shape") { io in
      let target = io.output(0, as: Int64.self)
      for (index, size) in sizes.enumerated() { target[index] = Int64(size) }
    }
  }

  package var readsOnlyShapes: Bool { true }
}
