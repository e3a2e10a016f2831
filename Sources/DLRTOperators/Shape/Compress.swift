import DLRTGraph

/// ONNX Compress (9–28): the slices along `axis` (or the elements of the flattened tensor) for which `condition` is
/// true; the condition may be shorter than the axis. For every element type.
package struct Compress: Operator {
  package static let schema = OperatorSchema(
    "Compress", versions: [9, 11, 28], inputs: [("input", "T"), ("condition", "C")], outputs: [("output", "T")],
    types: ["T": .all, "C": .bool])

  private let axis: Int?

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.optionalInt("axis")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = ValueType.tensor(try inference.type(0))
    inference.setDataDependent(0, type)
    guard let axis else {
      inference.setDataDependent(0, type, [.unknown])
      return
    }
    var shape = try inference.shape(0)
    shape[try inference.axis(axis, rank: shape.rank)] = .unknown
    inference.setDataDependent(0, type, shape)
    _ = try inference.shape(1, rank: 1)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = axis == nil ? [planning.input(0).count] : planning.shape(0)
    let axis = axis.map { $0 < 0 ? $0 + shape.count : $0 } ?? 0
    let size = shape[axis]
    let outer = shape.product(0..<axis)
    let bytes = shape.product(axis + 1..<shape.count) &* planning.type(0).size
    let conditions = min(planning.input(1).count, size)
    let move = BlockMove(gathering: bytes)
    return Step(kernel: "compress", workspace: conditions &* MemoryLayout<Int>.size) { io in
      let condition = io.input(1, as: UInt8.self)
      let chosen = io.workspace.assumingMemoryBound(to: Int.self)
      var count = 0
      // Every place is written, so that no jump depends on the conditions.
      for index in 0..<conditions {
        chosen[count] = index
        count = count &+ (condition[index] != 0 ? 1 : 0)
      }
      var result = shape
      result[axis] = count
      let target = try io.allocate(output: 0, result)
      let source = io.input(0)
      guard bytes > 0 else { return }
      io.parallel(Chunks(outer, cost: Double(count) * (1.5 + Double(bytes) * 0.1))) { range in
        for slice in range {
          move.run(source + slice &* size &* bytes, target + slice &* count &* bytes, UnsafePointer(chosen), 0..<count)
        }
      }
    }
  }
}
