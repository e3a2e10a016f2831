import DLRTGraph

/// ONNX NonZero (9–13): the coordinates of all elements that are not zero, in row-major order, as int64
/// `[rank, count]`. For every element type.
package struct NonZero: Operator {
  package static let schema = OperatorSchema(
    "NonZero", versions: [9, 13], inputs: [("X", "T")], outputs: [("Y", "I")], types: ["T": .all, "I": .int64])

  package init(_ attributes: inout AttributeReader) throws {}

  /// Constants up to this many elements are counted when shapes are inferred.
  private static let mostCounted = 1 << 16

  package func infer(_ inference: inout Inference) throws {
    let rank = inference.inputs[0]?.shape?.rank
    if let constant = inference.constant(0), constant.count <= Self.mostCounted {
      inference.set(0, .int64, [.known(constant.rank), .known(try Self.count(constant))])
      return
    }
    inference.setDataDependent(0, .tensor(.int64), rank.map { [.known($0), .unknown] })
  }

  private static func count(_ tensor: Tensor) throws -> Int {
    let tensor = try tensor.aligned()
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(tensor.count, 1)) { flags in
      flags.baseAddress.map { ZeroTest.loop(tensor.type)(tensor.pointer, $0, tensor.count) } ?? 0
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let total = shape.product
    let isOpen = planning.output(0).isOpen
    let test = ZeroTest.loop(planning.type(0))
    return Step(kernel: "nonzero", workspace: total) { io in
      let flags = io.workspace.assumingMemoryBound(to: UInt8.self)
      let found = test(io.input(0), flags, total)
      let memory = isOpen ? try io.allocate(output: 0, [shape.count, found]) : io.output(0)
      let target = memory.assumingMemoryBound(to: Int64.self)
      guard let columns = shape.last else { return }
      let coordinates = target + (shape.count &- 1) &* found
      var place = 0
      for row in 0..<(columns == 0 ? 0 : total / columns) {
        let first = place
        place = collectPlaces(flags + row &* columns, columns, coordinates, place, found)
        // The other coordinates are a row's.
        var rest = row
        for axis in stride(from: shape.count &- 2, through: 0, by: -1) {
          (target + (axis &* found &+ first)).update(repeating: Int64(rest % shape[axis]), count: place &- first)
          rest /= shape[axis]
        }
      }
    }
  }
}

// Free, so that it stays compiled for speed: see docs/architecture.md.
/// Appends the places of the flags that are set; every place is written, so that no jump depends on a flag.
@_optimize(speed) @inline(never)
private func collectPlaces(
  _ flags: UnsafePointer<UInt8>, _ count: Int, _ places: UnsafeMutablePointer<Int64>, _ start: Int, _ end: Int
) -> Int {
  var next = start
  for index in 0..<count where next < end {
    places[next] = Int64(index)
    next = next &+ Int(flags[index])
  }
  return next
}
