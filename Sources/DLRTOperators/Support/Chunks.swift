/// A loop cut into parts for threads. The cut depends on the work alone, never on the number of threads, so results
/// that are combined part by part do not depend on it either.
package struct Chunks: Sendable {
  package let total: Int
  package let size: Int
  package let count: Int

  /// - Parameters:
  ///   - total: iterations of the loop.
  ///   - cost: rough nanoseconds of one iteration. Parts of less than some 4 µs are not worth a fork.
  ///   - multiple: every part but the last holds a multiple of this many iterations.
  package init(_ total: Int, cost: Double, multiple: Int = 1) {
    self.total = total
    let least = max(1, Int(min(4_000 / max(cost, 0.001), 1e12)))
    let parts = min(max(total / least, 1), 64)
    let units = (total + multiple - 1) / multiple
    size = max(Self.evenSize(units, parts) * multiple, 1)
    count = total == 0 ? 0 : (total + size - 1) / size
  }

  /// A size for about `parts` parts of which two halves are about the same: few parts that do not come out even leave a
  /// thread waiting for another.
  private static func evenSize(_ units: Int, _ parts: Int) -> Int {
    if parts == 1 { return units }
    var (best, least) = (1, Int.max)
    for wanted in stride(from: (parts + 1) & ~1, to: parts / 2, by: -2) where least > units / 32 {
      let size = (units + wanted - 1) / wanted
      let half = (units + size - 1) / max(size, 1) / 2 * size
      let odd = abs(units - 2 * half)
      if odd < least { (best, least) = (size, odd) }
    }
    return best
  }

  /// At most `parts` nearly equal parts, for loops whose results do not depend on the cut.
  package init(_ total: Int, parts: Int) {
    self.total = total
    size = max(1, (total + max(parts, 1) - 1) / max(parts, 1))
    count = (total + size - 1) / size
  }

  package subscript(index: Int) -> Range<Int> {
    let start = index &* size
    return start..<Swift.min(start &+ size, total)
  }
}

extension StepIO {
  /// Calls `body` for every part of a loop, on the run's threads.
  @inline(__always)
  package func parallel(_ chunks: Chunks, _ body: (Range<Int>) -> Void) {
    switch chunks.count {
    case 0: return
    case 1: body(0..<chunks.total)
    default: parallel(chunks.count) { body(chunks[$0]) }
    }
  }
}
