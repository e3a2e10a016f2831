import DLRTGraph

/// ONNX Unique (11–28): the distinct elements (or slices along `axis`), in ascending order or in that of their first
/// occurrence, with the places of first occurrences, the place of every item in the result, and counts. For every
/// element type; NaNs are equal.
package struct Unique: Operator {
  package static let schema = OperatorSchema(
    "Unique", versions: [11, 28], inputs: [("X", "T")],
    outputs: [("Y", "T"), ("indices?", "I"), ("inverse_indices?", "I"), ("counts?", "I")],
    types: ["T": .all, "I": .int64])

  private let axis: Int?
  private let isSorted: Bool

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.optionalInt("axis")
    isSorted = try attributes.flag("sorted", default: true)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = ValueType.tensor(try inference.type(0))
    for index in 1..<4 { inference.setDataDependent(index, .tensor(.int64), [.unknown]) }
    inference.setDataDependent(0, type, axis == nil ? [.unknown] : nil)
    guard let axis else { return }
    var shape = try inference.shape(0)
    shape[try inference.axis(axis, rank: shape.rank)] = .unknown
    inference.setDataDependent(0, type, shape)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let total = planning.input(0).count
    let shape = axis == nil ? [total] : planning.shape(0)
    let axis = axis.map { $0 < 0 ? $0 + shape.count : $0 } ?? 0
    let type = planning.type(0)
    let items = ItemLayout(
      count: shape[axis], outer: shape.product(0..<axis), inner: shape.product(axis + 1..<shape.count))
    // Without elements there may be more items than memory could list.
    guard total > 0 || items.count <= 1 << 24 else {
      throw DLRTError(.limitExceeded, "too many items without elements", tensor: "X", got: "\(shape)")
    }
    let ordering = try ItemOrdering(type, items)
    let move = BlockMove(gathering: items.inner &* type.size)
    let wants = (0..<4).map { planning.wants(output: $0) }
    let isSorted = isSorted
    return Step(kernel: "unique", workspace: ordering.workspace) { io in
      let groups = ItemGroups(ordering.arranged(io.input(0), io.workspace), isSorted: isSorted)
      let count = groups.firsts.count
      var result = shape
      result[axis] = count
      if wants[0] {
        let target = try io.allocate(output: 0, result)
        if move.bytes > 0 {
          groups.firsts.withUnsafeBufferPointer { firsts in
            guard let offsets = firsts.baseAddress else { return }
            for slice in 0..<items.outer {
              move.run(
                io.input(0) + slice &* items.count &* move.bytes, target + slice &* count &* move.bytes, offsets,
                0..<count)
            }
          }
        }
      }
      for (output, values) in [(1, groups.firsts), (2, groups.inverse), (3, groups.counts)] where wants[output] {
        let target = try io.allocate(output: output, [values.count]).assumingMemoryBound(to: Int64.self)
        for (index, value) in values.enumerated() { target[index] = Int64(value) }
      }
    }
  }
}

/// Where the elements of an item are: `[outer, count, inner]`.
private struct ItemLayout {
  let count: Int
  let outer: Int
  let inner: Int
}

/// Compares items element by element: numbers by their keys, strings by their bytes.
private struct ItemOrdering: Sendable {
  private let items: ItemLayout
  /// nil for strings.
  private let keys: SortKey.Loop?
  /// Keys of one element: complex numbers have two.
  private let words: Int
  private var total: Int { items.outer &* items.count &* items.inner &* words }

  init(_ type: DataType, _ items: ItemLayout) throws {
    self.items = items
    words = type.isComplex ? 2 : 1
    switch type {
    case .string: keys = nil
    case .complex64: keys = try SortKey.loop(.float32)
    case .complex128: keys = try SortKey.loop(.float64)
    default: keys = try SortKey.loop(type)
    }
  }

  /// Items of one number each, whose keys are all there is to compare.
  private var areNumbers: Bool { keys != nil && total == items.count }

  var workspace: Int {
    keys == nil
      ? 0 : total &* (MemoryLayout<UInt64>.size + (areNumbers ? 2 * MemoryLayout<RankedKey>.stride : 0))
  }

  /// The items in ascending order, equal ones in that of their places, each with whether it differs from the one before.
  func arranged(_ source: UnsafeRawPointer, _ workspace: UnsafeMutableRawPointer) -> [(item: Int, isNew: Bool)] {
    let numbers = workspace.assumingMemoryBound(to: UInt64.self)
    keys?(source, 1, numbers, total)
    if areNumbers {
      let entries = UnsafeMutableRawPointer(numbers + total).assumingMemoryBound(to: RankedKey.self)
      for index in 0..<total { entries[index] = RankedKey(key: numbers[index], index: index) }
      Selection.sortRanked(entries, total, entries + total)
      return (0..<total).map { place in
        (entries[place].index, place == 0 || entries[place].key != entries[place - 1].key)
      }
    }
    let order = (0..<items.count).sorted { a, b in
      let order = compare(a, b, source, workspace)
      return order == 0 ? a < b : order < 0
    }
    return order.indices.map { place in
      (order[place], place == 0 || compare(order[place - 1], order[place], source, workspace) != 0)
    }
  }

  private func compare(
    _ a: Int, _ b: Int, _ source: UnsafeRawPointer, _ workspace: UnsafeMutableRawPointer
  ) -> Int {
    keys == nil
      ? compare(a, b, source.assumingMemoryBound(to: StringRef.self))
      : compare(a, b, UnsafeRawPointer(workspace).assumingMemoryBound(to: UInt64.self))
  }

  @inline(__always)
  private func compare<E: Comparable>(_ a: Int, _ b: Int, _ elements: UnsafePointer<E>) -> Int {
    let length = items.inner &* words
    for slice in 0..<items.outer {
      let left = elements + (slice &* items.count &+ a) &* length
      let right = elements + (slice &* items.count &+ b) &* length
      for index in 0..<length where left[index] != right[index] { return left[index] < right[index] ? -1 : 1 }
    }
    return 0
  }
}

/// Equal items next to each other, as Unique reports them.
private struct ItemGroups {
  private(set) var firsts: [Int] = []
  private(set) var inverse: [Int]
  private(set) var counts: [Int] = []

  /// - Parameter order: items, equal ones together and in the order of their places.
  init(_ order: [(item: Int, isNew: Bool)], isSorted: Bool) {
    inverse = [Int](repeating: 0, count: order.count)
    for (item, isNew) in order {
      if isNew {
        firsts.append(item)
        counts.append(1)
      } else {
        counts[counts.count - 1] += 1
      }
      inverse[item] = firsts.count - 1
    }
    if isSorted { return }
    // The first item of every group that is met stands where the group does.
    var places = [Int](repeating: 0, count: firsts.count)
    var met: [Int] = []
    met.reserveCapacity(firsts.count)
    for (item, group) in inverse.enumerated() where firsts[group] == item {
      places[group] = met.count
      met.append(group)
    }
    let (unordered, sizes) = (firsts, counts)
    firsts = met.map { unordered[$0] }
    counts = met.map { sizes[$0] }
    for item in inverse.indices { inverse[item] = places[inverse[item]] }
  }
}
