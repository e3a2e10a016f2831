import DLRTGraph

/// ONNX GatherND (11–13): the last dimension of `indices` holds tuples, each of which names an element or a slice of
/// `data`; the first `batch_dims` axes of both go together. For every element type.
package struct GatherND: Operator {
  package static let schema = OperatorSchema(
    "GatherND", versions: [11, 12, 13], inputs: [("data", "T"), ("indices", "I")], outputs: [("output", "T")],
    types: ["T": .all, "I": .int64])

  private let batchAxes: Int

  package init(_ attributes: inout AttributeReader) throws {
    batchAxes = try attributes.int("batch_dims", default: 0)
    if batchAxes < 0 {
      throw DLRTError(
        .invalidModel, "negative number of axes", tensor: "batch_dims", expected: "0 or more", got: "\(batchAxes)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let length = try inference.tupleLength(batchAxes: batchAxes)
    let data = try inference.shape(0)
    let indices = try inference.shape(1)
    for axis in 0..<batchAxes where data[axis].provablyDiffers(indices[axis]) {
      throw DLRTError(
        .invalidModel, "batch sizes differ", tensor: inference.name(1), expected: "\(data)", got: "\(indices)")
    }
    inference.set(0, type, Shape(indices.dims.dropLast() + data.dims[(batchAxes + length)...]))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let data = planning.shape(0)
    let length = planning.shape(1).last ?? 1
    let table = try IndexTable.tuples(planning, batchAxes: batchAxes)
    let move = BlockMove(gathering: data.product(batchAxes + length..<data.count) &* planning.type(0).size)
    let chunks = move.chunks(table.count)
    return Step(kernel: "gather", workspace: table.workspace) { io in
      let offsets = try table.resolve(io)
      let source = io.input(0)
      let target = io.output(0)
      io.parallel(chunks) { move.run(source, target, offsets, $0) }
    }
  }
}
