import DLRTGraph

/// ONNX Gather (1–13): slices of `data` along `axis`, taken by `indices`, which may count from the end. The result has
/// the indices' axes in the place of `axis`. For every element type.
package struct Gather: Operator {
  package static let schema = OperatorSchema(
    "Gather", versions: [1, 11, 13], inputs: [("data", "T"), ("indices", "I")], outputs: [("output", "T")],
    types: ["T": .all, "I": .indices])

  private let axis: Int

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: 0)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let shape = try inference.shape(0)
    let axis = try inference.axis(axis, rank: shape.rank)
    let indices = try inference.shape(1)
    let result = Shape(shape.dims[..<axis] + indices.dims + shape.dims[(axis + 1)...])
    inference.set(0, type, result, elements: result.rank <= 1 ? picked(inference) : nil)
  }

  private func picked(_ inference: Inference) -> [Dim]? {
    guard inference.inputs[0]?.shape?.rank == 1, let source = inference.inputs[0]?.elements,
      let chosen = try? inference.integers(1),
      chosen.count <= Fact.mostElements
    else { return nil }
    let places = chosen.map { $0 < 0 ? $0 + source.count : $0 }
    return places.allSatisfy(source.indices.contains) ? places.map { source[$0] } : nil
  }

  /// One slice, where a run has no say in which.
  package func view(output index: Int, _ source: StridedView, _ planning: Planning) -> StridedView? {
    let shape = planning.shape(0)
    let axis = axis < 0 ? axis + shape.count : axis
    guard planning.constant(1)?.count == 1, let first = try? planning.integers(1).first else { return nil }
    let place = first < 0 ? first + shape[axis] : first
    guard (0..<shape[axis]).contains(place) else { return nil }
    var view = source
    view.offset &+= place &* source.strides[axis]
    view.strides.replaceSubrange(axis...axis, with: planning.shape(1).map { _ in 0 })
    return view
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let axis = axis < 0 ? axis + shape.count : axis
    let size = shape[axis]
    let block = shape.product(axis + 1..<shape.count) &* planning.type(0).size
    let outer = shape.product(0..<axis)
    let count = planning.input(1).count
    let reader = IndexReader(planning.type(1))
    let table = try IndexTable(planning, input: 1, count: count) { source, target in
      for index in 0..<count { target[index] = try reader.read(source, index, size: size) }
    }
    let move = BlockMove(gathering: block)
    let chunks = move.chunks(outer &* count)
    return Step(kernel: "gather", workspace: table.workspace, unalignedInputs: [0]) { io in
      let offsets = try table.resolve(io)
      guard block > 0 else { return }
      let source = io.input(0)
      let target = io.output(0)
      io.parallel(chunks) { range in
        var position = range.lowerBound
        while position < range.upperBound {
          let slice = position / count
          let first = position - slice &* count
          let end = min(count, first &+ range.upperBound &- position)
          move.run(
            source + slice &* size &* block, target + slice &* count &* block, offsets, first..<end)
          position = position &+ end &- first
        }
      }
    }
  }
}
