/// An axis of a view of memory: how many elements, and how far apart.
package struct StridedAxis: Sendable, Equatable {
  package var size: Int
  package var stride: Int

  package init(size: Int, stride: Int) {
    self.size = size
    self.stride = stride
  }
}

extension [StridedAxis] {
  /// Combinations of indices.
  package var combinations: Int { reduce(1) { $0 &* $1.size } }

  /// Where the `index`-th combination is, the last axis running fastest.
  @inline(__always)
  package func offset(_ index: Int) -> Int {
    guard count > 1 else { return isEmpty ? 0 : index &* self[0].stride }
    var rest = index
    var offset = 0
    var axis = count &- 1
    while axis >= 0 {
      let own = self[axis]
      let quotient = rest / own.size
      offset = offset &+ (rest &- quotient &* own.size) &* own.stride
      rest = quotient
      axis = axis &- 1
    }
    return offset
  }

  /// One axis that walks these in order, if there is one.
  package var collapsed: StridedAxis? {
    guard var result = last else { return StridedAxis(size: 1, stride: 0) }
    for axis in dropLast().reversed() {
      guard axis.stride == result.stride &* result.size else { return nil }
      result.size = result.size &* axis.size
    }
    return result
  }
}
