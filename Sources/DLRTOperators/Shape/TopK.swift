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
    let row = try RowSelection(type, size: size, count: count, takesLargest: takesLargest)
    let turn = try type.dispatch(Transposition())
    let move = BlockMove(gathering: element)
    let wantsValues = planning.wants(output: 0)
    let wantsIndices = planning.wants(output: 1)
    let parts = Chunks(rows, cost: Double(size) * (row.sortsAll ? 6 : 0.5))
    let lanes = min(parts.count, max(1, planning.threads &* 4))
    let perLane = (rows + lanes - 1) / lanes
    // Lines that are not adjacent are brought together first, some at a time.
    let together = inner == 1 ? 0 : min(inner, 16)
    let laneBytes = (row.workspace + together &* size &* element + 63) & ~63
    return Step(kernel: row.sortsAll ? "sort" : "select", workspace: lanes &* laneBytes) { io in
      let source = io.input(0)
      let values = io.output(0)
      let indices = io.output(1, as: Int64.self)
      let workspace = io.workspace
      io.parallel(lanes) { part in
        let scratch = workspace + part &* laneBytes
        let lines = scratch + row.workspace
        var turned = 0..<0
        for number in part &* perLane..<min(rows, (part &+ 1) &* perLane) {
          let outer = number / inner
          let column = number % inner
          var line = source + (outer &* size &* inner &+ column) &* element
          if together > 0 {
            if !turned.contains(number) {
              turned = number..<number &+ min(together, inner &- column)
              turn(line, lines, turned.count, size, inner &* element, size &* element)
            }
            line = UnsafeRawPointer(lines) + (number &- turned.lowerBound) &* size &* element
          }
          let entries = row.run(line, scratch)
          let first = outer &* count &* inner &+ column
          for place in 0..<count {
            var offset = entries[place].index
            if wantsIndices { indices[first &+ place &* inner] = Int64(offset) }
            if wantsValues {
              move.run(line, values + (first &+ place &* inner) &* element, &offset, 0..<1)
            }
          }
        }
      }
    }
  }
}

/// Finds the first elements of one row in an order.
private struct RowSelection: Sendable {
  private let size: Int
  private let count: Int
  private let element: Int
  private let flip: UInt64
  private let keys: SortKey.Loop
  private let search: SortKey.Search?
  /// A heap of the chosen is no gain when they are many.
  let sortsAll: Bool
  private var capacity: Int { sortsAll ? size : count }

  init(_ type: DataType, size: Int, count: Int, takesLargest: Bool) throws {
    self.size = size
    self.count = count
    element = type.size
    flip = takesLargest ? .max : 0
    keys = try SortKey.loop(type)
    search = SortKey.search(type, greater: takesLargest)
    sortsAll = count > size / 8
  }

  /// Bytes for entries, as many again to sort with, and keys.
  var workspace: Int { capacity &* (2 &* MemoryLayout<RankedKey>.stride + MemoryLayout<UInt64>.stride) }

  func run(_ line: UnsafeRawPointer, _ workspace: UnsafeMutableRawPointer) -> UnsafeMutablePointer<RankedKey> {
    let entries = workspace.assumingMemoryBound(to: RankedKey.self)
    let scratch = entries + capacity
    let numbers = UnsafeMutableRawPointer(scratch + capacity).assumingMemoryBound(to: UInt64.self)
    let first = sortsAll ? size : count
    keys(line, 1, numbers, first)
    for index in 0..<first { entries[index] = RankedKey(key: numbers[index] ^ flip, index: index) }
    if sortsAll {
      Selection.sortRanked(entries, first, scratch)
    } else {
      selectRest(line, entries, numbers)
      Selection.sort(entries, first, scratch)
    }
    return entries
  }

  private func selectRest(
    _ line: UnsafeRawPointer, _ heap: UnsafeMutablePointer<RankedKey>, _ numbers: UnsafeMutablePointer<UInt64>
  ) {
    Selection.heapify(heap, count)
    let keys = keys
    // Without a comparison, every element is a candidate.
    let search = search ?? { _, start, _, _ in start }
    var index = search(line, count, size, heap[0].index)
    while index < size {
      keys(line + index &* element, 1, numbers, 1)
      let key = numbers[0] ^ flip
      if key < heap[0].key { Selection.replaceGreatest(heap, count, with: RankedKey(key: key, index: index)) }
      index = search(line, index &+ 1, size, heap[0].index)
    }
  }
}
