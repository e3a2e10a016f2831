import DLRTGraph

/// How a reduction walks its input: axes that behave alike are merged, so that every reduction becomes runs of
/// neighbouring elements which either fold into one output or belong to neighbouring outputs.
package struct ReductionGeometry: Sendable {
  /// Axes that stay, outermost first, without the run.
  let kept: [StridedAxis]
  /// Axes that are folded, outermost first, without the run and the last of them.
  private let outerFolded: [StridedAxis]
  private let lastFolded: StridedAxis
  /// Elements of a run.
  let inner: Int
  let innerIsFolded: Bool
  /// Elements of the output.
  let outputs: Int
  /// Elements that fold into one output.
  let foldedCount: Int

  /// - Parameters:
  ///   - shape: sizes whose product was checked.
  ///   - axes: non-negative axes to fold.
  package init(shape: [Int], axes: [Int]) {
    var groups: [(size: Int, isFolded: Bool)] = []
    for axis in shape.indices where shape[axis] != 1 {
      let isFolded = axes.contains(axis)
      if let last = groups.last, last.isFolded == isFolded {
        groups[groups.count - 1].size = last.size &* shape[axis]
      } else {
        groups.append((shape[axis], isFolded))
      }
    }
    outputs = groups.reduce(1) { $1.isFolded ? $0 : $0 &* $1.size }
    foldedCount = groups.reduce(1) { $1.isFolded ? $0 &* $1.size : $0 }
    let run = groups.popLast() ?? (1, false)
    inner = run.size
    innerIsFolded = run.isFolded
    var stride = run.size
    var kept: [StridedAxis] = []
    var folded: [StridedAxis] = []
    for group in groups.reversed() {
      let axis = StridedAxis(size: group.size, stride: stride)
      if group.isFolded { folded.append(axis) } else { kept.append(axis) }
      stride = stride &* group.size
    }
    self.kept = kept.reversed()
    lastFolded = folded.first ?? StridedAxis(size: 1, stride: 0)
    outerFolded = folded.dropFirst().reversed()
  }

  /// Calls `body` with the start of every series of equally spaced runs that fold together, with the number of runs
  /// and their distance.
  @inline(__always)
  func forEachSeries(_ body: (_ start: Int, _ runs: Int, _ stride: Int) -> Void) {
    for index in 0..<outerFolded.combinations { body(outerFolded.offset(index), lastFolded.size, lastFolded.stride) }
  }

  /// True when all elements fold into one output.
  var isTotal: Bool { outputs == 1 && innerIsFolded && kept.isEmpty && lastFolded.stride == 0 }

  /// The reduction as one of adjacent matrices, by rows or (when runs stay) by columns; nil where it is none.
  var matrix: (count: Int, rows: Int, columns: Int)? {
    guard foldedCount > 0, outputs > 0, outerFolded.isEmpty else { return nil }
    if innerIsFolded { return lastFolded.stride == 0 ? (1, outputs, inner) : nil }
    guard lastFolded.stride == inner else { return nil }
    return (outputs / inner, lastFolded.size, inner)
  }
}
