import DLRTGraph

/// ONNX NonZero (9–13): the coordinates of all elements that are not zero, in row-major order, as int64
/// `[rank, count]`. For every element type.
package struct NonZero: Operator {
  package static let schema = OperatorSchema(
    "NonZero", versions: [9, 13], inputs: [("X", "T")], outputs: [("Y", "I")], types: ["T": .all, "I": .int64])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let rank = inference.inputs[0]?.shape?.rank
    inference.setDataDependent(0, .tensor(.int64), rank.map { [.known($0), .unknown] })
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let total = shape.product
    let test = ZeroTest.loop(planning.type(0))
    return Step(kernel: "nonzero", workspace: total) { io in
      let flags = io.workspace.assumingMemoryBound(to: UInt8.self)
      let found = test(io.input(0), flags, total)
      let target = try io.allocate(output: 0, [shape.count, found]).assumingMemoryBound(to: Int64.self)
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
