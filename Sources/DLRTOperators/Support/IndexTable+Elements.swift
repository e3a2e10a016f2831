import DLRTGraph

extension Inference {
  /// Checks data (input 0) against indices (input 1) as GatherElements and ScatterElements want them, and returns the
  /// axis counted from the front.
  func elementAxis(_ axis: Int) throws -> Int {
    let data = try shape(0)
    let axis = try self.axis(axis, rank: data.rank)
    let indices = try shape(1, rank: data.rank)
    for dim in data.dims.indices where dim != axis {
      guard let size = data[dim].value, let wanted = indices[dim].value, wanted > size else { continue }
      throw DLRTError(
        .invalidModel, "indices are larger than data", tensor: name(1), expected: "at most \(data)", got: "\(indices)")
    }
    return axis
  }
}

extension IndexTable {
  /// For every place of the indices (input 1), the element of data (input 0) at the same place but for the coordinate
  /// on `axis`, which the index gives.
  static func elements(_ planning: Planning, axis: Int) throws -> IndexTable {
    let data = planning.shape(0)
    let shape = planning.shape(1)
    let axis = axis < 0 ? axis + data.count : axis
    let size = data.isEmpty ? 1 : data[axis]
    let stride = data.product(axis + 1..<data.count)
    var strides = data.rowMajorStrides
    strides[axis] = 0
    var walk = Odometer(sizes: shape, first: strides, second: shape.rowMajorStrides)
    // A run along which the place advances evenly.
    let run = walk.rank > 0 ? walk.remove(walk.rank - 1) : (size: 1, first: 0, second: 1)
    let reader = IndexReader(planning.type(1))
    let count = shape.product
    return try IndexTable(planning, input: 1, count: count) { [walk] source, target in
      var failure: DLRTError?
      walk.forEach(0..<walk.count) { base, position in
        if failure != nil { return }
        do throws(DLRTError) {
          for index in 0..<run.size {
            let chosen = try reader.read(source, position &+ index, size: size)
            target[position &+ index] = base &+ index &* run.first &+ chosen &* stride
          }
        } catch {
          failure = error
        }
      }
      if let failure { throw failure }
    }
  }
}
