import DLRTGraph

/// ONNX TensorScatter (24): a cache `[batch, …, length, …]` with `update` written along `axis` (the length), for each
/// sample from its `write_indices` on; in mode `circular` writing goes on at the front. For every element type.
package struct TensorScatter: Operator {
  package static let schema = OperatorSchema(
    "TensorScatter", versions: [24], inputs: [("past_cache", "T"), ("update", "T"), ("write_indices?", "I")],
    outputs: [("present_cache", "T")], types: ["T": .all, "I": .int64])

  private enum Mode: String, CaseIterable { case linear, circular }

  private let axis: Int
  private let isCircular: Bool

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: -2)
    isCircular = try attributes.choice("mode", default: Mode.linear) == .circular
  }

  package func infer(_ inference: inout Inference) throws {
    try inference.sameAsInput()
    let cache = try inference.shape(0)
    let axis = try inference.axis(axis, rank: cache.rank)
    guard axis > 0 else {
      throw DLRTError(
        .invalidModel, "the batch cannot be written along", tensor: "axis", expected: "1 or more", got: "0")
    }
    let update = try inference.shape(1, rank: cache.rank)
    for dim in cache.dims.indices {
      guard let size = cache[dim].value, let part = update[dim].value else { continue }
      guard part == size || dim == axis && part < size else {
        throw DLRTError(
          .invalidModel, "update does not fit the cache", tensor: inference.name(1), expected: "\(cache)",
          got: "\(update)")
      }
    }
    if inference.has(2) {
      let starts = try inference.shape(2, rank: 1)
      guard !starts[0].provablyDiffers(cache[0]) else {
        throw DLRTError(
          .invalidModel, "not one index per sample", tensor: inference.name(2), expected: "[\(cache[0])]",
          got: "\(starts)")
      }
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let axis = axis < 0 ? axis + shape.count : axis
    let batch = shape[0]
    let heads = shape.product(1..<axis)
    let capacity = shape[axis]
    let length = planning.shape(1)[axis]
    let inner = shape.product(axis + 1..<shape.count) &* planning.type(0).size
    let bytes = planning.input(0).byteCount
    let hasStarts = planning.has(2)
    let isCircular = isCircular
    // Samples start at different places: the table holds the place of every row of the update.
    let rows = IndexRows(capacity: capacity, length: length, isCircular: isCircular)
    let move = BlockMove(scattering: inner)
    return Step(kernel: "scatter", workspace: batch &* length &* MemoryLayout<Int>.size) { io in
      let places = io.workspace.assumingMemoryBound(to: Int.self)
      let starts = io.input(2, as: Int64.self)
      for sample in 0..<batch {
        try rows.fill(places + sample &* length, start: hasStarts ? Int(starts[sample]) : 0)
      }
      io.copy(io.input(0), to: io.output(0), bytes: bytes)
      guard inner > 0 else { return }
      let source = io.input(1)
      let target = io.output(0)
      io.parallel(Chunks(batch &* heads, cost: Double(length) * (2 + Double(inner) * 0.1))) { range in
        for head in range {
          move.run(
            source + head &* length &* inner, target + head &* capacity &* inner,
            UnsafePointer(places + head / heads &* length), 0..<length)
        }
      }
    }
  }

  package var inPlaceInputs: [Int] { [0] }
}

private struct IndexRows {
  let capacity: Int
  let length: Int
  let isCircular: Bool

  func fill(_ places: UnsafeMutablePointer<Int>, start: Int) throws(DLRTError) {
    guard length > 0 else { return }
    guard isCircular || start >= 0 && start <= capacity - length else {
      throw DLRTError(
        .invalidInput, "writes beyond the cache", tensor: "write_indices", expected: "0...\(capacity - length)",
        got: "\(start)")
    }
    let first = start % capacity
    for row in 0..<length { places[row] = ((first < 0 ? first + capacity : first) + row) % capacity }
  }
}
