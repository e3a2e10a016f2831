import DLRTGraph

/// Walks an output and the inputs that broadcast to it, in runs over which every input either advances by one element
/// or stays.
///
/// Axes over which all inputs behave alike are merged, so that equal shapes give one run, and
/// `[N, C, H, W] + [C, 1, 1]` gives a run for each of N × C planes.
package struct Broadcast: Sendable {
  /// Elements of the output.
  package private(set) var count: Int
  /// Elements of one whole run.
  package private(set) var inner: Int
  /// For each input, the elements by which it advances within a run: 1, or 0 where it stays.
  package private(set) var innerStrides: [Int]
  let operands: Int
  /// Outer axes, outermost first.
  private var dims: [Int]
  /// `strides[operand * dims.count + axis]`, in elements.
  private var strides: [Int]

  /// - Parameters:
  ///   - inputs: shapes that inference has found to broadcast to `output`.
  ///   - views: where inputs lie that are not in memory of their own.
  package init(output: [Int], inputs: [[Int]], views: [StridedView?] = []) {
    operands = inputs.count
    count = output.product
    let full = inputs.enumerated().map { index, shape in
      let own = (index < views.count ? views[index]?.strides : nil) ?? shape.rowMajorStrides
      let missing = output.count - shape.count
      return output.indices.map { axis in
        axis < missing || shape[axis - missing] == 1 ? 0 : own[axis - missing]
      }
    }
    var dims: [Int] = []
    var axes: [[Int]] = []
    for axis in output.indices where output[axis] != 1 {
      let step = full.map { $0[axis] }
      if let last = axes.last, let size = dims.last, zip(last, step).allSatisfy({ $0 == $1 &* output[axis] }) {
        dims[dims.count - 1] = size &* output[axis]
        axes[axes.count - 1] = step
      } else {
        dims.append(output[axis])
        axes.append(step)
      }
    }
    inner = dims.popLast() ?? 1
    innerStrides = axes.popLast() ?? [Int](repeating: 0, count: inputs.count)
    self.dims = dims
    strides = inputs.indices.flatMap { operand in axes.map { $0[operand] } }
  }

  /// True when every input is walked from end to end in one run.
  package var isContiguous: Bool { dims.isEmpty && (innerStrides.allSatisfy { $0 == 1 } || inner == 1) }

  /// The walk over runs: its elements are this one's runs, and its strides within a run are those between them.
  package var rows: Broadcast {
    var copy = self
    copy.dropInner()
    return copy
  }

  private mutating func dropInner() {
    count = inner == 0 ? 0 : count / inner
    let rank = dims.count
    inner = dims.popLast() ?? 1
    innerStrides = (0..<operands).map { rank == 0 ? 0 : strides[$0 * rank + rank - 1] }
    strides = (0..<operands).flatMap { operand in (0..<dims.count).map { strides[operand * rank + $0] } }
  }

  /// Calls `body` for every run of a part of the output, in order.
  ///
  /// - Parameters:
  ///   - range: elements of the output; it may begin and end within runs.
  ///   - body: takes the run's place in the output, its length, and the place in each input.
  @inline(__always)
  package func forEachRun(in range: Range<Int>, _ body: (Int, Int, UnsafePointer<Int>) -> Void) {
    guard !range.isEmpty else { return }
    let rank = dims.count
    withUnsafeTemporaryAllocation(of: Int.self, capacity: rank + 2 * operands) { memory in
      guard let counters = memory.baseAddress else { return }
      let bases = counters + rank
      let offsets = bases + operands
      var position = range.lowerBound
      var within = seek(position, counters, bases)
      while true {
        let length = min(inner &- within, range.upperBound &- position)
        for operand in 0..<operands { offsets[operand] = bases[operand] &+ within &* innerStrides[operand] }
        body(position, length, offsets)
        position = position &+ length
        guard position < range.upperBound else { return }
        within = 0
        advance(counters, bases)
      }
    }
  }

  /// Sets counters and offsets to the run that holds an element; returns the element's place in that run.
  private func seek(_ position: Int, _ counters: UnsafeMutablePointer<Int>, _ bases: UnsafeMutablePointer<Int>) -> Int {
    for operand in 0..<operands { bases[operand] = 0 }
    var rest = position / inner
    for axis in dims.indices.reversed() {
      let index = rest % dims[axis]
      rest /= dims[axis]
      counters[axis] = index
      for operand in 0..<operands {
        bases[operand] = bases[operand] &+ index &* strides[operand &* dims.count &+ axis]
      }
    }
    return position % inner
  }

  private func advance(_ counters: UnsafeMutablePointer<Int>, _ bases: UnsafeMutablePointer<Int>) {
    var axis = dims.count &- 1
    while axis >= 0 {
      counters[axis] = counters[axis] &+ 1
      let wraps = counters[axis] == dims[axis]
      let steps = wraps ? 1 &- dims[axis] : 1
      for operand in 0..<operands {
        bases[operand] = bases[operand] &+ steps &* strides[operand &* dims.count &+ axis]
      }
      guard wraps else { return }
      counters[axis] = 0
      axis = axis &- 1
    }
  }
}
