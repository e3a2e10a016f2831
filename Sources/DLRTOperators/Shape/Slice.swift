import DLRTGraph

/// ONNX Slice (1–13): elements `starts..<ends` of some axes, every `steps`-th one, backwards for negative steps. Bounds
/// beyond the tensor are moved to its ends. For every element type.
package struct Slice: Operator {
  package static let schema = OperatorSchema(
    "Slice", versions: [1, 10, 11, 13],
    inputs: [("data", "T"), ("starts", "I"), ("ends", "I"), ("axes?", "I"), ("steps?", "I")],
    outputs: [("output", "T")], types: ["T": .all, "I": .indices])

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard version < 10 else { return }
    try node.moveAttribute("starts", toInput: 1, in: &graph)
    try node.moveAttribute("ends", toInput: 2, in: &graph)
    try node.moveAttribute("axes", toInput: 3, in: &graph)
  }

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    var shape = try inference.shape(0)
    inference.set(0, type, Shape([Dim](repeating: .unknown, count: shape.rank)))
    let starts = try inference.dims(1)
    let ends = try inference.dims(2)
    let axes = try inference.has(3) ? inference.integers(3) : Array(starts.indices)
    let steps = try inference.has(4) ? inference.integers(4) : [Int](repeating: 1, count: starts.count)
    guard ends.count == starts.count, axes.count == starts.count, steps.count == starts.count else {
      throw DLRTError(
        .invalidModel, "starts, ends, axes and steps differ in length", tensor: "ends", expected: "\(starts.count)",
        got: "\(ends.count), \(axes.count), \(steps.count)")
    }
    let resolved = try inference.axes(axes, rank: shape.rank)
    var elements = shape.rank == 1 ? inference.inputs[0]?.elements : nil
    for (index, axis) in resolved.enumerated() {
      guard steps[index] != 0 else {
        throw DLRTError(.invalidModel, "a step of zero", tensor: "steps", got: "\(steps)")
      }
      if let size = shape[axis].value, let start = starts[index].value, let end = ends[index].value {
        let range = SliceRange(start: start, end: end, step: steps[index], size: size)
        shape[axis] = .known(range.count)
        elements = elements.flatMap { range.pick($0) }
      } else {
        shape[axis] = length(shape[axis], starts[index], ends[index], steps[index])
        elements = nil
      }
    }
    inference.set(0, type, shape, elements: elements)
  }

  /// The number of elements where not everything is a number. An end that is a symbol is taken only when it is the
  /// axis's own size, since it may lie beyond it.
  private func length(_ size: Dim, _ start: Dim, _ end: Dim, _ step: Int) -> Dim {
    guard step == 1, let first = start.value, first >= 0, size.value == nil else { return .unknown }
    if let last = end.value {
      if last >= Int(Int32.max) { return size - start }
      return last < 0 ? size + end - start : .unknown
    }
    return end.provablyEquals(size) ? size - start : .unknown
  }

  package func view(output index: Int, _ source: StridedView, _ planning: Planning) -> StridedView? {
    try? picked(source, planning)
  }

  /// The slice of what is laid out as `source`.
  private func picked(_ source: StridedView, _ planning: Planning) throws -> StridedView {
    let shape = planning.shape(0)
    let starts = try planning.integers(1)
    let ends = try planning.integers(2)
    let axes = try planning.has(3) ? planning.integers(3) : Array(starts.indices)
    let steps = try planning.has(4) ? planning.integers(4) : [Int](repeating: 1, count: starts.count)
    var view = source
    for (index, entry) in axes.enumerated() {
      let axis = entry < 0 ? entry + shape.count : entry
      let range = SliceRange(start: starts[index], end: ends[index], step: steps[index], size: shape[axis])
      view.offset &+= range.first &* source.strides[axis]
      view.strides[axis] = source.strides[axis] &* range.step
    }
    return view
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let view = try picked(StridedView(whole: planning.shape(0)), planning)
    let sizes = planning.output(0).shape
    if sizes.product == 0 { return .nothing }
    let copy = try StridedCopy(
      planning.type(0), sizes: sizes, source: view.strides, target: sizes.rowMajorStrides, sourceStart: view.offset)
    return Step(kernel: "strided") { io in copy.run(io.input(0), io.output(0), io) }
  }
}

/// One axis of a Slice, its bounds moved into the tensor as ONNX says.
struct SliceRange {
  let first: Int
  let step: Int
  let count: Int

  init(start: Int, end: Int, step: Int, size: Int) {
    // Adding the size to a negative bound cannot overflow; steps beyond the axis are all alike.
    let step = max(-Int(Int32.max) - 1, min(step, Int(Int32.max)))
    let low = start < 0 ? start + size : start
    let high = end < 0 ? end + size : end
    self.step = step
    if step > 0 {
      first = max(0, min(low, size))
      let last = max(0, min(high, size))
      count = last > first ? (last - first - 1) / step + 1 : 0
    } else {
      // Backwards, ONNX moves a start before the tensor to its first element, unlike NumPy.
      first = max(0, min(low, size - 1))
      let last = max(-1, min(high, size - 1))
      count = size > 0 && first > last ? (first - last - 1) / -step + 1 : 0
    }
  }

  func pick(_ elements: [Dim]) -> [Dim]? {
    let indices = (0..<count).map { first + $0 * step }
    return indices.allSatisfy(elements.indices.contains) ? indices.map { elements[$0] } : nil
  }
}
