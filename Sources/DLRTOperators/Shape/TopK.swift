import DLRTGraph

/// ONNX TopK (1–24): the K greatest (or least) elements along `axis` and their indices; of equal ones the first come
/// first. NaN counts as the greatest number. For all numbers.
package struct TopK: Operator {
  package static let schema = OperatorSchema(
    "TopK", versions: [1, 10, 11, 24], inputs: [("X", "T"), ("K", "K")], outputs: [("Values", "T"), ("Indices", "I")],
    types: ["T": .numeric, "K": .int64, "I": .int64])

  private let axis: Int
  private let takesLargest: Bool

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    if version < 10 { try node.moveAttribute("k", toInput: 1, in: &graph) }
  }

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: -1)
    takesLargest = try attributes.flag("largest", default: true)
    // Unsorted results may come in any order, also sorted.
    attributes.ignore("sorted")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    inference.setType(1, .int64)
    var shape = try inference.shape(0)
    let axis = try inference.axis(axis, rank: shape.rank)
    let size = shape[axis]
    shape[axis] = .unknown
    inference.set(0, type, shape)
    inference.set(1, .int64, shape)
    let wanted = try inference.dims(1)
    guard wanted.count == 1, let count = wanted.first, (count.value ?? 0) >= 0,
      size.value.map({ $0 >= count.value ?? 0 }) ?? true
    else {
      throw DLRTError(
        .invalidModel, "not a number of elements to take", tensor: inference.name(1), expected: "0...\(size)",
        got: "\(Shape(wanted))")
    }
    shape[axis] = count
    inference.set(0, type, shape)
    inference.set(1, .int64, shape)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let axis = axis < 0 ? axis + shape.count : axis
    let size = shape[axis]
    let inner = shape.product(axis + 1..<shape.count)
    let rows = shape.product(0..<axis) &* inner
    let result = planning.wants(output: 0) ? planning.output(0) : planning.output(1)
    let count = result.shape[axis]
    if count == 0 || rows == 0 { return .nothing }
    let type = planning.type(0)
    let element = type.size
    let keys = try SortKey.loop(type)
    let move = BlockMove(gathering: element)
    let flip: UInt64 = takesLargest ? .max : 0
    let wantsValues = planning.wants(output: 0)
    let wantsIndices = planning.wants(output: 1)
    // A lane of scratch per chunk: entries, as many again to sort with, keys.
    let lane = size &* (2 &* MemoryLayout<RankedKey>.stride + MemoryLayout<UInt64>.stride)
    let parts = Chunks(rows, cost: Double(size) * 6)
    let lanes = min(parts.count, max(1, planning.threads &* 4))
    let perLane = (rows + lanes - 1) / lanes
    return Step(kernel: "select", workspace: lanes &* lane) { io in
      let source = io.input(0)
      let values = io.output(0)
      let indices = io.output(1, as: Int64.self)
      let workspace = io.workspace
      io.parallel(lanes) { part in
        let entries = (workspace + part &* lane).assumingMemoryBound(to: RankedKey.self)
        let scratch = entries + size
        let numbers = UnsafeMutableRawPointer(scratch + size).assumingMemoryBound(to: UInt64.self)
        for row in part &* perLane..<min(rows, (part &+ 1) &* perLane) {
          let outer = row / inner
          let column = row % inner
          let line = source + (outer &* size &* inner &+ column) &* element
          keys(line, inner, numbers, size)
          for index in 0..<size { entries[index] = RankedKey(key: numbers[index] ^ flip, index: index) }
          Selection.least(count, of: size, entries, scratch: scratch)
          let first = outer &* count &* inner &+ column
          for place in 0..<count {
            var offset = entries[place].index
            if wantsIndices { indices[first &+ place &* inner] = Int64(offset) }
            if wantsValues {
              offset = offset &* inner
              move.run(line, values + (first &+ place &* inner) &* element, &offset, 0..<1)
            }
          }
        }
      }
    }
  }
}
