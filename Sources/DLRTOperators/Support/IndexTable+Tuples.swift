import DLRTGraph

extension Inference {
  /// The length of the index tuples in input 1 (its last dimension), checked against data (input 0).
  func tupleLength(batchAxes: Int = 0) throws -> Int {
    let indices = try shape(1)
    let data = try shape(0)
    guard let last = indices.dims.last else {
      throw DLRTError(.invalidModel, "indices are a scalar", tensor: name(1), expected: "rank 1 or more", got: "[]")
    }
    guard let length = last.value else { throw Unresolved.shape(input: 1) }
    guard length >= 1, length + batchAxes <= data.rank, batchAxes < indices.rank else {
      throw DLRTError(
        .invalidModel, "index tuples do not fit data", tensor: name(1),
        expected: "1 to \(data.rank - batchAxes) indices each, as data is \(data)", got: "\(indices)")
    }
    return length
  }
}

extension IndexTable {
  /// For every tuple in the last dimension of the indices (input 1), the number of the block of data (input 0) that
  /// it names. The first `batchAxes` axes of both go together.
  static func tuples(_ planning: Planning, batchAxes: Int = 0) throws -> IndexTable {
    let data = planning.shape(0)
    let shape = planning.shape(1)
    let length = shape.last ?? 1
    let sizes = Array(data[batchAxes..<batchAxes + length])
    let strides = sizes.rowMajorStrides
    let batchStride = sizes.product
    let batches = shape.product(0..<batchAxes)
    let perBatch = shape.product(batchAxes..<shape.count - 1)
    let reader = IndexReader(planning.type(1))
    return try IndexTable(planning, input: 1, count: batches &* perBatch) { source, target in
      for batch in 0..<batches {
        for tuple in batch &* perBatch..<(batch &+ 1) &* perBatch {
          var place = batch &* batchStride
          for axis in 0..<length {
            place = place &+ (try reader.read(source, tuple &* length &+ axis, size: sizes[axis])) &* strides[axis]
          }
          target[tuple] = place
        }
      }
    }
  }
}
