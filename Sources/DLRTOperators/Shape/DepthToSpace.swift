import DLRTGraph

/// How DepthToSpace and SpaceToDepth order the channels: the place in the block outermost, or the depth outermost.
enum BlockOrder: String, CaseIterable {
  case depthColumnRow = "DCR"
  case columnRowDepth = "CRD"
}

extension AttributeReader {
  mutating func blockSize() throws(DLRTError) -> Int {
    let size = try int("blocksize")
    guard size > 0, size <= Int(Int16.max) else {
      throw DLRTError(
        .invalidModel, "not a size of blocks", tensor: "blocksize", expected: "1...\(Int16.max)", got: "\(size)")
    }
    return size
  }
}

/// ONNX DepthToSpace (1–28): `[N, C·b², H, W]` becomes `[N, C, H·b, W·b]`. For every element type.
package struct DepthToSpace: Operator {
  package static let schema = OperatorSchema(
    "DepthToSpace", versions: [1, 11, 13, 28], inputs: [("input", "T")], outputs: [("output", "T")],
    types: ["T": .all])

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
    guard (shape[1].value ?? 0) % (block * block) == 0 else {
      throw DLRTError(
        .invalidModel, "channels do not fill blocks", tensor: inference.name(0),
        expected: "a multiple of \(block * block)", got: "shape \(shape)")
    }
    inference.set(0, type, [shape[0], shape[1] / (size * size), shape[2] * size, shape[3] * size])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let output = planning.output(0).shape
    // Axes in the order of the output: N, C, H, row in the block, W, column in the block.
    let sizes = [shape[0], output[1], shape[2], block, shape[3], block]
    let plane = shape[2] &* shape[3]
    let (channel, place) =
      order == .depthColumnRow ? (plane, plane &* output[1]) : (plane &* block &* block, plane)
    let copy = try StridedCopy(
      planning.type(0), sizes: sizes,
      source: [shape[1] &* plane, channel, shape[3], place &* block, 1, place], target: sizes.rowMajorStrides)
    return Step(kernel: "strided") { io in copy.run(io.input(0), io.output(0), io) }
  }
}
