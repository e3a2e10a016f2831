import DLRTGraph

/// ONNX ScatterND (11–18): `data` with blocks of `updates` put in where the tuples in the last dimension of `indices`
/// say. Updates of one place are combined in order by `reduction` (none: the last one stays). For every element type;
/// reductions for numbers and bool.
package struct ScatterND: Operator {
  package static let schema = OperatorSchema(
    "ScatterND", versions: [11, 13, 16, 18], inputs: [("data", "T"), ("indices", "I"), ("updates", "T")],
    outputs: [("output", "T")], types: ["T": .all, "I": .int64])

  private let reduction: ScatterReduction

  package init(_ attributes: inout AttributeReader) throws {
    reduction = try attributes.choice("reduction", default: ScatterReduction.none)
  }

  package func infer(_ inference: inout Inference) throws {
    try inference.sameAsInput()
    try reduction.check(try inference.type(0))
    let length = try inference.tupleLength()
    let data = try inference.shape(0)
    let indices = try inference.shape(1)
    let wanted = Shape(indices.dims.dropLast() + data.dims[length...])
    let updates = try inference.shape(2, rank: wanted.rank)
    for dim in wanted.dims.indices where wanted[dim].provablyDiffers(updates[dim]) {
      throw DLRTError(
        .invalidModel, "updates do not fit data and indices", tensor: inference.name(2), expected: "\(wanted)",
        got: "\(updates)")
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let data = planning.shape(0)
    let length = planning.shape(1).last ?? 1
    let table = try IndexTable.tuples(planning)
    return try Step.scatter(planning, table, block: data.product(length..<data.count), reduction)
  }

  package var inPlaceInputs: [Int] { [0] }
}
