import DLRTGraph

/// ONNX Split (1–18): cuts a tensor along `axis` into parts of the sizes in `split`, or into equal parts of which the
/// last may be smaller. For every element type.
package struct Split: Operator {
  package static let schema = OperatorSchema(
    "Split", versions: [1, 2, 11, 13, 18], inputs: [("input", "T"), ("split?", "S")], outputs: [("outputs...", "T")],
    types: ["T": .all, "S": .int64])

  private let axis: Int
  private let parts: Int?

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    if version < 13 { try node.moveAttribute("split", toInput: 1, in: &graph) }
  }

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: 0)
    parts = try attributes.optionalInt("num_outputs")
    if let parts, parts < 1 {
      throw DLRTError(
        .invalidModel, "not a number of parts", tensor: "num_outputs", expected: "1 or more", got: "\(parts)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    for index in 0..<inference.outputCount { inference.setType(index, type) }
    let shape = try inference.shape(0)
    for index in 0..<inference.outputCount { inference.setRank(index, type, shape.rank) }
    let axis = try inference.axis(axis, rank: shape.rank)
    let sizes: [Dim]
    if inference.has(1) {
      sizes = try explicitSizes(inference, shape[axis])
    } else {
      sizes = try equalSizes(shape[axis], inference.outputCount)
    }
    for (index, size) in sizes.prefix(inference.outputCount).enumerated() {
      var part = shape
      part[axis] = size
      inference.set(index, type, part)
    }
    splitElements(&inference, type, shape, sizes)
  }

  private func explicitSizes(_ inference: Inference, _ size: Dim) throws -> [Dim] {
    let sizes = try inference.dims(1)
    // None is beyond the axis, so that a sum too large to be known is none of its parts'.
    let range = 0...(size.value ?? Int.max)
    guard sizes.count >= inference.outputCount, sizes.allSatisfy({ $0.value.map(range.contains) ?? true }),
      !sizes.reduce(Dim.known(0), +).provablyDiffers(size)
    else {
      throw DLRTError(
        .invalidModel, "parts do not fill the axis", tensor: "split",
        expected: "\(inference.outputCount) sizes with sum \(size)", got: "\(Shape(sizes))")
    }
    return sizes
  }

  private func equalSizes(_ size: Dim, _ outputs: Int) throws(DLRTError) -> [Dim] {
    let count = parts ?? outputs
    guard count >= outputs, count > 0 else {
      throw DLRTError(
        .invalidModel, "more outputs than parts", tensor: "num_outputs", expected: "\(outputs)", got: "\(count)")
    }
    if count == 1 { return [size] }
    // A node may leave out its last outputs.
    guard let known = size.value else { return [Dim](repeating: size / .known(count), count: outputs) }
    guard parts != nil || known % count == 0 else {
      throw DLRTError(
        .invalidModel, "the axis cannot be cut into equal parts", tensor: "input",
        expected: "a multiple of \(count)", got: "\(known)")
    }
    let part = known / count + (known % count == 0 ? 0 : 1)
    var rest = known
    return (0..<outputs).map { _ in
      let own = min(part, rest)
      rest -= own
      return .known(own)
    }
  }

  private func splitElements(_ inference: inout Inference, _ type: DataType, _ shape: Shape, _ sizes: [Dim]) {
    guard shape.rank == 1, let elements = inference.inputs[0]?.elements else { return }
    let counts = sizes.compactMap(\.value)
    guard counts.count == sizes.count else { return }
    var start = 0
    for (index, count) in counts.prefix(inference.outputCount).enumerated() {
      guard start + count <= elements.count else { return }
      inference.set(index, type, [.known(count)], elements: Array(elements[start..<start + count]))
      start += count
    }
  }

  private func sizes(_ planning: Planning, _ size: Int) throws -> [Int] {
    try planning.has(1)
      ? planning.integers(1) : equalSizes(.known(size), planning.outputs.count).compactMap(\.value)
  }

  package func view(output index: Int, _ source: StridedView, _ planning: Planning) -> StridedView? {
    let shape = planning.shape(0)
    let axis = axis < 0 ? axis + shape.count : axis
    guard let before = try? sizes(planning, shape[axis]).prefix(index) else { return nil }
    return StridedView(
      offset: source.offset &+ before.reduce(0, &+) &* source.strides[axis], strides: source.strides)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let axis = axis < 0 ? axis + shape.count : axis
    let sizes = try sizes(planning, shape[axis])
    let strides = shape.rowMajorStrides
    var start = 0
    var copies: [StridedCopy?] = []
    for index in planning.outputs.indices {
      var part = shape
      part[axis] = sizes[index]
      let isNeeded = planning.wants(output: index) && part.product > 0
      copies.append(
        isNeeded
          ? try StridedCopy(
            planning.type(0), sizes: part, source: strides, target: part.rowMajorStrides,
            sourceStart: start &* strides[axis]) : nil)
      start = start &+ sizes[index]
    }
    return Step(kernel: "strided") { [copies] io in
      for (index, copy) in copies.enumerated() { copy?.run(io.input(0), io.output(index), io) }
    }
  }
}
