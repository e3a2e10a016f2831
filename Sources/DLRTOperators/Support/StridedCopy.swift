import DLRTGraph
import Glibc

/// Copies a box of elements from one strided layout to another: the one mechanism behind Transpose, Slice, Concat,
/// Split, Expand, Tile, DepthToSpace and SpaceToDepth.
///
/// Strides may be negative (a reversed Slice) or, in the source, zero (Expand). The box is cut into equal parts: rows
/// that are contiguous on both sides, or two-dimensional transpositions, or rows of single elements.
package struct StridedCopy: Sendable {
  private enum Part: Sendable {
    case run(bytes: Int)
    case row(RowCopy.Loop, count: Int, source: Int, target: Int)
    /// The source is contiguous along `rows`, the target along `columns`.
    case transposition(Transposition.Loop, rows: Int, columns: Int, source: Int, target: Int, strip: Int)
  }

  private let size: Int
  private let outer: Odometer
  private let part: Part
  private let sourceStart: Int
  private let targetStart: Int
  /// Transpositions are cut along their rows, so that a single large one has work for all threads.
  private let strips: Int
  private let chunks: Chunks

  /// - Parameters:
  ///   - sizes: sizes of the box.
  ///   - source: steps of the axes in the source, in elements.
  ///   - target: steps of the axes in the target, in elements.
  ///   - sourceStart: the element where the box begins in the source.
  package init(
    _ type: DataType, sizes: [Int], source: [Int], target: [Int], sourceStart: Int = 0, targetStart: Int = 0
  ) throws {
    let size = type.size
    self.size = size
    self.sourceStart = sourceStart &* size
    self.targetStart = targetStart &* size
    var walk = Odometer(sizes: sizes, first: source.map { $0 &* size }, second: target.map { $0 &* size })
    var bytes = size
    var strips = 1
    if walk.rank == 0 {
      part = .run(bytes: size)
    } else if walk.first[walk.rank - 1] == size, walk.second[walk.rank - 1] == size {
      bytes = walk.remove(walk.rank - 1).size &* size
      part = .run(bytes: bytes)
    } else if walk.first[walk.rank - 1] != 0, walk.second[walk.rank - 1] == size,
      let inner = walk.first.lastIndex(of: size)
    {
      let columns = walk.remove(walk.rank - 1)
      let rows = walk.remove(inner)
      // Many transpositions are work enough for all threads as they are.
      let strip = walk.count >= 64 ? max(1, rows.size) : max(1, 256 / size)
      strips = (rows.size + strip - 1) / strip
      bytes = min(strip, rows.size) &* columns.size &* size
      part = .transposition(
        try type.dispatch(Transposition()), rows: rows.size, columns: columns.size, source: columns.first,
        target: rows.second, strip: strip)
    } else {
      let row = walk.remove(walk.rank - 1)
      bytes = row.size &* size
      part = .row(try type.dispatch(RowCopy()), count: row.size, source: row.first, target: row.second)
    }
    outer = walk
    self.strips = strips
    chunks = Chunks(walk.count &* strips, cost: 4 + Double(bytes) * 0.1)
  }

  package func run(_ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ io: borrowing StepIO) {
    let source = source + sourceStart
    let target = target + targetStart
    switch part {
    case .run(let bytes):
      if outer.rank == 0 {
        io.copy(source, to: target, bytes: bytes)
        return
      }
      io.parallel(chunks) { range in
        outer.forEach(range) { from, to in memcpy(target + to, source + from, bytes) }
      }
    case .row(let copy, let count, let sourceStep, let targetStep):
      io.parallel(chunks) { range in
        outer.forEach(range) { from, to in copy(source + from, target + to, count, sourceStep, targetStep) }
      }
    case .transposition(let transpose, let rows, let columns, let sourceStep, let targetStep, let strip):
      io.parallel(chunks) { range in
        // A part of the range may begin and end within one transposition.
        var unit = range.lowerBound
        outer.forEach(unit / strips..<(range.upperBound &+ strips &- 1) / strips) { from, to in
          let start = unit / strips &* strips
          let end = min(range.upperBound, start &+ strips)
          while unit < end {
            let first = (unit &- start) &* strip
            transpose(
              source + from + first &* size, target + to + first &* targetStep, min(strip, rows &- first), columns,
              sourceStep, targetStep)
            unit = unit &+ 1
          }
        }
      }
    }
  }
}

extension StepIO {
  /// Copies bytes, in parallel when they are many.
  package func copy(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, bytes: Int) {
    guard bytes > 0, source != UnsafeRawPointer(target) else { return }
    parallel(Chunks(bytes, cost: 0.1, multiple: 64)) { range in
      memcpy(target + range.lowerBound, source + range.lowerBound, range.count)
    }
  }
}

private struct RowCopy: PlainTask {
  typealias Loop = @Sendable (UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int, Int) -> Void

  func run<T: BitwiseCopyable & Equatable & Sendable>(_: T.Type) -> Loop {
    { source, target, count, sourceStep, targetStep in
      var from = source
      var to = target
      if sourceStep == 0, targetStep == MemoryLayout<T>.size {
        target.assumingMemoryBound(to: T.self).update(repeating: source.loadUnaligned(as: T.self), count: count)
        return
      }
      for _ in 0..<count {
        to.assumingMemoryBound(to: T.self).pointee = from.assumingMemoryBound(to: T.self).pointee
        from += sourceStep
        to += targetStep
      }
    }
  }
}
