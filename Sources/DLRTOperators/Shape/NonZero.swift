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
      // Coordinates are found from the last axis on, so that each takes one division.
      var place = 0
      for index in 0..<total where flags[index] != 0 {
        var rest = index
        var axis = shape.count &- 1
        while axis >= 0 {
          target[axis &* found &+ place] = Int64(rest % shape[axis])
          rest /= shape[axis]
          axis = axis &- 1
        }
        place = place &+ 1
      }
    }
  }
}
