import DLRTGraph

/// The loops of a sliding window over one plane (one channel of one image): output rows, the input rows that each reads,
/// and the columns within a row. The innermost axis stays a plain loop over strided memory.
package struct WindowRows: Sendable {
  /// A tap of the innermost axis: output `o` in `lower..<upper` meets the input element `o · stride + offset` of a row.
  package struct Column: Sendable {
    let tap: Int
    let lower: Int
    let upper: Int
    let offset: Int
  }

  /// Output rows of a plane, i.e. the product of all output sizes but the innermost.
  package let count: Int
  package let width: Int
  package let inputWidth: Int
  package let stride: Int
  package let columns: [Column]
  private let outer: [WindowAxis]
  private let innerKernel: Int

  /// - Parameter geometry: at least one axis.
  package init(_ geometry: ConvolutionGeometry) {
    let inner = geometry.axes[geometry.axes.count - 1]
    outer = Array(geometry.axes.dropLast())
    count = outer.map(\.output).product
    width = inner.output
    inputWidth = inner.input
    stride = inner.stride
    innerKernel = inner.kernel
    var columns: [Column] = []
    for tap in 0..<inner.kernel {
      let range = inner.outputs(tap: tap)
      if !range.isEmpty {
        columns.append(
          Column(
            tap: tap, lower: range.lowerBound, upper: range.upperBound,
            offset: tap &* inner.dilation &- inner.padBegin))
      }
    }
    self.columns = columns
  }

  /// Calls `body(start, tap)` for every input row that an output row reads: `start` is the row's first element in the
  /// plane, `tap` the index of the row's first tap in the kernel.
  @inline(__always)
  package func forEachInputRow(of row: Int, _ body: (Int, Int) -> Void) {
    guard !outer.isEmpty else { return body(0, 0) }
    if outer.count == 1 {
      let axis = outer[0]
      let start = axis.start(row)
      for tap in axis.taps(row) {
        body((start &+ tap &* axis.dilation) &* inputWidth, tap &* innerKernel)
      }
      return
    }
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 4 * outer.count) { memory in
      guard let first = memory.baseAddress else { return }
      let end = first + outer.count
      let start = end + outer.count
      let tap = start + outer.count
      var rest = row
      for index in outer.indices.reversed() {
        let axis = outer[index]
        let coordinate = rest % axis.output
        rest /= axis.output
        let range = axis.taps(coordinate)
        guard !range.isEmpty else { return }
        first[index] = range.lowerBound
        end[index] = range.upperBound
        start[index] = axis.start(coordinate)
        tap[index] = range.lowerBound
      }
      while true {
        var inputRow = 0
        var kernelRow = 0
        for index in outer.indices {
          let axis = outer[index]
          inputRow = inputRow &* axis.input &+ start[index] &+ tap[index] &* axis.dilation
          kernelRow = kernelRow &* axis.kernel &+ tap[index]
        }
        body(inputRow &* inputWidth, kernelRow &* innerKernel)
        var index = outer.count &- 1
        while index >= 0 {
          tap[index] = tap[index] &+ 1
          if tap[index] < end[index] { break }
          tap[index] = first[index]
          index = index &- 1
        }
        if index < 0 { return }
      }
    }
  }

  /// Calls `body(inputStart, tap, column)` for every part of an output row that a tap meets.
  @inline(__always)
  package func forEachTap(of row: Int, _ body: (Int, Int, Column) -> Void) {
    forEachInputRow(of: row) { start, tap in
      for column in columns { body(start &+ column.offset, tap &+ column.tap, column) }
    }
  }
}
