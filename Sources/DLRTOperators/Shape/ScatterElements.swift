import DLRTGraph

/// ONNX ScatterElements (11–18): `data` with `updates` put in at the places of `indices`, but for the coordinate on
/// `axis`, which the index gives. Updates of one place are combined in row-major order by `reduction` (none: the last
/// one stays). For every element type; reductions for numbers and bool.
package struct ScatterElements: Operator {
  package static let schema = OperatorSchema(
    "ScatterElements", versions: [11, 13, 16, 18], inputs: [("data", "T"), ("indices", "I"), ("updates", "T")],
    outputs: [("output", "T")], types: ["T": .all, "I": .indices])

  private let axis: Int
  private let reduction: ScatterReduction

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: 0)
    reduction = try attributes.choice("reduction", default: ScatterReduction.none)
  }

  package func infer(_ inference: inout Inference) throws {
    try inference.sameAsInput()
    try reduction.check(try inference.type(0))
    _ = try inference.elementAxis(axis)
    let indices = try inference.shape(1)
    let updates = try inference.shape(2, rank: indices.rank)
    for dim in indices.dims.indices where indices[dim].provablyDiffers(updates[dim]) {
      throw DLRTError(
        .invalidModel, "updates and indices differ in shape", tensor: inference.name(2), expected: "\(indices)",
        got: "\(updates)")
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let table = try IndexTable.elements(planning, axis: axis)
    return try Step.scatter(planning, table, block: 1, reduction)
  }

  package var inPlaceInputs: [Int] { [0] }
}

extension Step {
  /// Copies data (input 0) unless the output took over its memory, then puts blocks of updates (input 2) in.
  static func scatter(
    _ planning: Planning, _ table: IndexTable, block: Int, _ reduction: ScatterReduction
  ) throws -> Step {
    let type = planning.type(0)
    let bytes = planning.input(0).byteCount
    let count = table.count
    if reduction == .none {
      let move = BlockMove(scattering: block &* type.size)
      return Step(kernel: "scatter", workspace: table.workspace) { io in
        let offsets = try table.resolve(io)
        io.copy(io.input(0), to: io.output(0), bytes: bytes)
        if block > 0 { move.run(io.input(2), io.output(0), offsets, 0..<count) }
      }
    }
    let loop = try reduction.loop(type)
    // Blocks may meet the same place, so threads share each block rather than the list of blocks.
    let chunks = Chunks(block, cost: Double(count))
    return Step(kernel: "scatter-\(reduction.rawValue)", workspace: table.workspace) { io in
      let offsets = try table.resolve(io)
      io.copy(io.input(0), to: io.output(0), bytes: bytes)
      let updates = io.input(2)
      let target = io.output(0)
      io.parallel(chunks) { loop(updates, target, offsets, count, block, $0) }
    }
  }
}
