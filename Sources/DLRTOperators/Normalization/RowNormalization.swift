import DLRTGraph

/// What LayerNormalization and RMSNormalization share: statistics over all axes from `axis` on, then a scale (and
/// bias) that broadcasts to the input.
struct RowNormalization: Sendable {
  let axis: Int
  let epsilon: Float
  let stashType: DataType

  init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: -1)
    epsilon = try attributes.float("epsilon", default: 1e-5)
    stashType = try attributes.optionalDataType("stash_type") ?? .float32
    guard TypeSet.floats.contains(stashType) else {
      throw DLRTError(
        .invalidModel, "no such precision", tensor: "stash_type", expected: "\(TypeSet.floats)", got: stashType.name)
    }
  }

  /// X, and factors that have an axis for the images.
  func imageInputs(_ ranks: [Int]) -> [Int] {
    let isWithinImages = axis < 0 ? axis > -ranks[0] : axis > 0
    return isWithinImages ? ranks.indices.filter { ranks[$0] == ranks[0] } : []
  }

  /// Checks that the factors broadcast to the input without enlarging it; returns the first axis of a row.
  func checkShapes(_ inference: inout Inference, factors: [Int]) throws -> Int {
    let shape = try inference.shape(0)
    let axis = try inference.axis(axis, rank: shape.rank)
    for index in factors where inference.has(index) {
      let factor = try inference.shape(index)
      let joint = try inference.broadcast(shape, factor, inference.name(index))
      let grows = joint.rank != shape.rank || zip(joint.dims, shape.dims).contains { $0.provablyDiffers($1) }
      if grows {
        throw DLRTError(
          .invalidModel, "does not broadcast to the input", tensor: inference.name(index), expected: "\(shape)",
          got: "\(factor)")
      }
    }
    return axis
  }
}

/// Factors of a row normalisation, laid out so that one row of them belongs to each row of the input.
struct RowFactors: Sendable {
  let index: Int
  /// Elements between the factors of one row and the next; 0 where all rows share them.
  let rowStride: Int
  /// How to spread the factors to whole rows; nil where they already are.
  private let spread: Broadcast?
  /// Where the spread factors are in the workspace, in elements.
  let offset: Int

  var workspaceCount: Int { spread?.count ?? 0 }

  init(_ planning: Planning, _ index: Int, axis: Int, offset: Int) {
    self.index = index
    self.offset = offset
    let shape = planning.shape(0)
    let own = planning.shape(index)
    let row = Array(shape[axis...])
    let rank = shape.count
    let belongsToRows = own.count > rank - axis && own.dropLast(rank - axis).contains { $0 != 1 }
    let core = Array(own.suffix(rank - axis))
    rowStride = belongsToRows ? row.product : 0
    if belongsToRows {
      spread = own == shape ? nil : Broadcast(output: shape, inputs: [own])
    } else {
      spread = core.product == row.product ? nil : Broadcast(output: row, inputs: [core])
    }
  }

  /// The factors of all rows.
  func prepare<V: RealElement>(_ io: borrowing StepIO, _: V.Type) -> UnsafePointer<V> {
    let source = io.input(index, as: V.self)
    guard let spread else { return source }
    let target = io.workspace.assumingMemoryBound(to: V.self) + offset
    let step = spread.innerStrides[0]
    spread.forEachRun(in: 0..<spread.count) { position, count, offsets in
      for element in 0..<count { target[position &+ element] = source[offsets[0] &+ element &* step] }
    }
    return UnsafePointer(target)
  }
}
