import DLRTGraph

/// Where a tensor's elements are in the memory of another, in elements: what a rearranging operator makes without
/// moving anything.
package struct StridedView: Sendable, Equatable {
  package var offset: Int
  /// Between neighbours along each axis.
  package var strides: [Int]

  package init(offset: Int = 0, strides: [Int]) {
    self.offset = offset
    self.strides = strides
  }

  /// A tensor in memory of its own.
  package init(whole shape: [Int]) { self.init(strides: shape.rowMajorStrides) }

  /// Whether this is how a tensor of that shape lies in memory of its own.
  package func isWhole(_ shape: [Int]) -> Bool {
    offset == 0 && zip(shape, zip(strides, shape.rowMajorStrides)).allSatisfy { $0 == 1 || $1.0 == $1.1 }
  }

  /// The axes in another order: axis `i` becomes what `order[i]` was.
  func permuted(_ order: [Int]) -> StridedView { StridedView(offset: offset, strides: order.map { strides[$0] }) }

  /// The same elements, in the same order, under another shape; nil where no strides walk them so.
  package func reshaped(_ from: [Int], _ to: [Int]) -> StridedView? {
    guard from.product == to.product, from.product > 0 else { return nil }
    // Axes of size 1 say nothing about memory.
    let axes = zip(from, strides).filter { $0.0 != 1 }
    var result = [Int](repeating: 0, count: to.count)
    var (source, target) = (axes.count - 1, to.count - 1)
    while target >= 0 {
      if to[target] == 1 {
        target -= 1
        continue
      }
      // The shortest runs of axes that hold equally many elements.
      guard source >= 0 else { return nil }
      var (have, want) = (axes[source].0, to[target])
      let stride = axes[source].1
      var (firstSource, firstTarget) = (source, target)
      while have != want {
        if have < want {
          firstSource -= 1
          guard firstSource >= 0, axes[firstSource].1 == stride &* have else { return nil }
          have *= axes[firstSource].0
        } else {
          firstTarget -= 1
          guard firstTarget >= 0 else { return nil }
          want *= to[firstTarget]
        }
      }
      var step = stride
      for axis in (firstTarget...target).reversed() {
        result[axis] = step
        step &*= to[axis]
      }
      (source, target) = (firstSource - 1, firstTarget - 1)
    }
    return StridedView(offset: offset, strides: result)
  }
}

extension Operator {
  package func view(output index: Int, _ source: StridedView, _ planning: Planning) -> StridedView? {
    guard index == 0, viewedInput == 0 else { return nil }
    return source.reshaped(planning.shape(0), planning.output(0).shape)
  }

  package func reads(_ view: StridedView, input index: Int, _ planning: Planning) -> Bool { false }
  package var viewableInputs: [Int] { [] }
  package var writesPermuted: Bool { false }
  package func writes(_ view: StridedView, _ planning: Planning) -> Bool { false }
}
