import DLRTGraph

/// ONNX RotaryEmbedding (23): turns pairs of elements of each head by the angles of their position, whose cosines and
/// sines come from caches: [positions, size / 2] looked up by `position_ids`, or [batch, sequence, size / 2] as they are.
/// X and Y are [batch, heads, sequence, size] or [batch, sequence, heads · size].
package struct RotaryEmbedding: Operator {
  package static let schema = OperatorSchema(
    "RotaryEmbedding", versions: [23],
    inputs: [("X", "T"), ("cos_cache", "T"), ("sin_cache", "T"), ("position_ids?", "M")], outputs: [("Y", "T")],
    types: ["T": [.float32, .halfFloats], "M": .int64])
  package static let promotedTypes = TypeSet.halfFloats
  private let heads: Int
  private let rotatedSize: Int
  private let isInterleaved: Bool
  /// Takes one start for the positions of all samples, and the number of heads from the caches.
  private let isRelaxed: Bool

  /// An attribute for operators of other domains that become this one.
  static let relaxed = "relaxed"

  package init(_ attributes: inout AttributeReader) throws {
    heads = try attributes.int("num_heads", default: 0)
    rotatedSize = try attributes.int("rotary_embedding_dim", default: 0)
    isInterleaved = try attributes.flag("interleaved")
    isRelaxed = try attributes.flag(Self.relaxed)
  }

  /// The number of heads of a packed operand.
  private func heads(caches: Int?, width: Int?) -> Int? {
    if heads > 0 { return heads }
    guard isRelaxed, let caches, let width, caches > 0 else { return nil }
    return max(width / caches / 2, 1)
  }

  package func infer(_ inference: inout Inference) throws {
    try inference.sameAsInput()
    let cosines = try inference.shape(1)
    let width = try inference.shape(0).dims.last
    if isRelaxed, heads <= 0, try inference.rank(0) == 3, cosines.dims.last?.value == nil || width?.value == nil {
      throw Unresolved.shape(input: 1)
    }
    let x = try AttentionDims(inference, 0, heads: heads(caches: cosines.dims.last?.value, width: width?.value))
    let sines = try inference.shape(2)
    try inference.requireEqual(.known(sines.rank), .known(cosines.rank), "the rank", of: 2)
    guard cosines.rank == (inference.has(3) ? 2 : 3) else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: "cos_cache",
        expected: inference.has(3) ? "[positions, size / 2]" : "[batch, sequence, size / 2]", got: "\(cosines)")
    }
    for axis in 0..<cosines.rank { try inference.requireEqual(sines[axis], cosines[axis], "axis \(axis)", of: 2) }
    let rotated = rotatedSize == 0 ? x.size : .known(rotatedSize)
    guard rotatedSize >= 0, (rotated.value ?? 0) % 2 == 0, (rotated.value ?? 0) <= (x.size.value ?? Int.max) else {
      throw DLRTError(
        .invalidModel, "not an even part of the head", tensor: "rotary_embedding_dim", expected: "at most \(x.size)",
        got: "\(rotated)")
    }
    try inference.requireEqual(cosines[cosines.rank - 1], rotated / 2, "half the rotated size", of: 1)
    if inference.has(3) {
      if isRelaxed, try inference.shape(3) == [1] { return }
      let positions = try inference.shape(3, rank: 2)
      try inference.requireEqual(positions[0], x.batch, "the batch", of: 3)
      try inference.requireEqual(positions[1], x.positions, "the sequence", of: 3)
    } else {
      try inference.requireEqual(cosines[0], x.batch, "the batch", of: 1)
      try inference.requireEqual(cosines[1], x.positions, "the sequence", of: 1)
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let isPacked = shape.count == 3
    let count = isPacked ? heads(caches: planning.shape(1).last, width: shape[2]) ?? 1 : shape[1]
    let positions = isPacked ? shape[1] : shape[2]
    let size = isPacked ? shape[2] / count : shape[3]
    let rotation = Rotation(
      batch: shape[0], heads: count, positions: positions, size: size,
      rotated: rotatedSize == 0 ? size : rotatedSize, isInterleaved: isInterleaved,
      layout: AttentionShape.Layout(heads: count, positions: positions, size: size, isPacked: isPacked),
      cachedPositions: planning.has(3) ? planning.shape(1)[0] : nil,
      hasStart: isRelaxed && planning.has(3) && planning.shape(3).count == 1)
    return Step(kernel: "rotary") { try rotation.run($0) }
  }

  package var inPlaceInputs: [Int] { [0] }
}

private struct Rotation: Sendable {
  let batch: Int
  let heads: Int
  let positions: Int
  let size: Int
  let rotated: Int
  let isInterleaved: Bool
  let layout: AttentionShape.Layout
  /// Rows of the caches when positions are looked up.
  let cachedPositions: Int?
  /// The positions of all samples count from one number.
  let hasStart: Bool

  private func row(_ io: borrowing StepIO, _ index: Int) -> Int64 {
    if cachedPositions == nil { return Int64(index) }
    return hasStart ? io.input(3, as: Int64.self)[0] &+ Int64(index % positions) : io.input(3, as: Int64.self)[index]
  }

  func run(_ io: borrowing StepIO) throws {
    if let cachedPositions {
      for index in 0..<batch &* positions {
        let position = row(io, index)
        guard position >= 0, position < Int64(cachedPositions) else {
          throw DLRTError(
            .invalidInput, "position out of range", tensor: "position_ids", expected: "0..<\(cachedPositions)",
            got: "\(position)")
        }
      }
    }
    let x = io.input(0, as: Float.self)
    let y = io.output(0, as: Float.self)
    let half = rotated / 2
    io.parallel(Chunks(batch &* positions, cost: Double(heads &* size))) { range in
      for index in range {
        let batch = index / positions
        let position = index &- batch &* positions
        let row = Int(row(io, index))
        let cosines = io.input(1, as: Float.self) + row &* half
        let sines = io.input(2, as: Float.self) + row &* half
        for head in 0..<heads {
          let offset = layout.offset(batch, head) &+ position &* layout.position
          turn(x + offset, y + offset, cosines, sines, half)
        }
      }
    }
  }

  private func turn(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ cosines: UnsafePointer<Float>,
    _ sines: UnsafePointer<Float>, _ half: Int
  ) {
    if isInterleaved {
      for index in 0..<half {
        let (a, b) = (x[2 &* index], x[2 &* index &+ 1])
        y[2 &* index] = cosines[index] * a - sines[index] * b
        y[2 &* index &+ 1] = sines[index] * a + cosines[index] * b
      }
    } else {
      for index in 0..<half {
        let (a, b) = (x[index], x[index &+ half])
        y[index] = cosines[index] * a - sines[index] * b
        y[index &+ half] = sines[index] * a + cosines[index] * b
      }
    }
    if x != UnsafePointer(y) { for index in rotated..<size { y[index] = x[index] } }
  }
}
