/// Walks the positions of a box in row-major order while keeping two offsets that advance by strides of their own.
///
/// Axes that both sides walk as one are merged, so that the walk has as few axes as the layouts allow.
package struct Odometer: Sendable {
  package private(set) var sizes: [Int] = []
  package private(set) var first: [Int] = []
  package private(set) var second: [Int] = []

  /// - Parameters:
  ///   - sizes: sizes of the box, none of them negative.
  ///   - first: the step of each axis on one side.
  ///   - second: the step of each axis on the other side.
  package init(sizes: [Int], first: [Int], second: [Int]) {
    for axis in sizes.indices where sizes[axis] != 1 {
      if let last = self.sizes.indices.last, self.first[last] == first[axis] &* sizes[axis],
        self.second[last] == second[axis] &* sizes[axis]
      {
        self.sizes[last] = self.sizes[last] &* sizes[axis]
        self.first[last] = first[axis]
        self.second[last] = second[axis]
      } else {
        self.sizes.append(sizes[axis])
        self.first.append(first[axis])
        self.second.append(second[axis])
      }
    }
  }

  package var rank: Int { sizes.count }
  package var count: Int { sizes.product }

  /// Takes an axis out of the walk, whose owner walks it itself.
  package mutating func remove(_ axis: Int) -> (size: Int, first: Int, second: Int) {
    (sizes.remove(at: axis), first.remove(at: axis), second.remove(at: axis))
  }

  /// Calls `body` with both offsets for the positions of a range, in order.
  @inline(__always)
  package func forEach(_ range: Range<Int>, _ body: (Int, Int) -> Void) {
    guard !range.isEmpty else { return }
    let rank = rank
    withUnsafeTemporaryAllocation(of: Int.self, capacity: max(rank, 1)) { memory in
      guard let counters = memory.baseAddress else { return }
      var (a, b) = seek(range.lowerBound, counters)
      var left = range.count
      while true {
        body(a, b)
        left = left &- 1
        if left == 0 { return }
        advance(counters, &a, &b)
      }
    }
  }

  private func seek(_ position: Int, _ counters: UnsafeMutablePointer<Int>) -> (Int, Int) {
    var rest = position
    var a = 0
    var b = 0
    for axis in sizes.indices.reversed() {
      let index = rest % sizes[axis]
      rest /= sizes[axis]
      counters[axis] = index
      a = a &+ index &* first[axis]
      b = b &+ index &* second[axis]
    }
    return (a, b)
  }

  private func advance(_ counters: UnsafeMutablePointer<Int>, _ a: inout Int, _ b: inout Int) {
    var axis = rank &- 1
    while axis >= 0 {
      let next = counters[axis] &+ 1
      if next < sizes[axis] {
        counters[axis] = next
        a = a &+ first[axis]
        b = b &+ second[axis]
        return
      }
      counters[axis] = 0
      a = a &- (next &- 1) &* first[axis]
      b = b &- (next &- 1) &* second[axis]
      axis = axis &- 1
    }
  }
}
