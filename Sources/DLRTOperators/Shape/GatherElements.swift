import DLRTGraph

/// ONNX GatherElements (11–13): for every place of `indices`, the element of `data` at the same place but for the
/// coordinate on `axis`, which the index gives. For every element type.
package struct GatherElements: Operator {
  package static let schema = OperatorSchema(
    "GatherElements", versions: [11, 13], inputs: [("data", "T"), ("indices", "I")], outputs: [("output", "T")],
    types: ["T": .all, "I": .indices])

  private let axis: Int

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: 0)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let indices = try inference.shape(1)
    inference.set(0, type, indices)
    _ = try inference.elementAxis(axis)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let table = try IndexTable.elements(planning, axis: axis)
    let move = BlockMove(gathering: planning.type(0).size)
    let chunks = move.chunks(table.count)
    return Step(kernel: "gather", workspace: table.workspace) { io in
      let offsets = try table.resolve(io)
      let source = io.input(0)
      let target = io.output(0)
      io.parallel(chunks) { move.run(source, target, offsets, $0) }
    }
  }
}
