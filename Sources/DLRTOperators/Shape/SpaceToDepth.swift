import DLRTGraph

/// ONNX SpaceToDepth (1–28): `[N, C, H·b, W·b]` becomes `[N, C·b², H, W]`. For every element type.
package struct SpaceToDepth: Operator {
  package static let schema = OperatorSchema(
    "SpaceToDepth", versions: [1, 13, 28], inputs: [("input", "T")], outputs: [("output", "T")], types: ["T": .all])

  private let block: Int
  private let order: BlockOrder

  package init(_ attributes: inout AttributeReader) throws {
    block = try attributes.blockSize()
    order = try attributes.choice("mode", default: BlockOrder.depthColumnRow)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let shape = try inference.shape(0, rank: 4)
    let size = Dim.known(block)
    guard (shape[2].value ?? 0) % block == 0, (shape[3].value ?? 0) % block == 0 else {
      throw DLRTError(
        .invalidModel, "the image does not fill blocks", tensor: inference.name(0),
        expected: "multiples of \(block)", got: "shape \(shape)")
    }
    inference.set(0, type, [shape[0], shape[1] * size * size, shape[2] / size, shape[3] / size])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let output = planning.output(0).shape
    let row = shape[3]
    let channel = shape[2] &* row
    // Axes in the order of the output.
    let image = [(output[2], row &* block), (output[3], block)]
    let places = [(block, row), (block, 1)]
    let axes =
      order == .depthColumnRow
      ? [(shape[0], channel &* shape[1])] + places + [(shape[1], channel)] + image
      : [(shape[0], channel &* shape[1]), (shape[1], channel)] + places + image
    let sizes = axes.map(\.0)
    let copy = try StridedCopy(
      planning.type(0), sizes: sizes, source: axes.map(\.1), target: sizes.rowMajorStrides)
    return Step(kernel: "strided") { io in copy.run(io.input(0), io.output(0), io) }
  }
}
