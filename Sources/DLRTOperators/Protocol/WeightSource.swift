import DLRTGraph
import DLRTParallel

/// A constant as it is read to be packed.
///
/// Parts of a file are copied to a desk of the thread that packs them: that is cheaper than to map pages for a single
/// visit, and what was just copied is in a near cache.
package struct WeightSource {
  package let tensor: Tensor
  package let pool: ThreadPool
  private let desks: PackingDesks

  init(_ tensor: Tensor, _ desks: PackingDesks, _ pool: ThreadPool) {
    self.tensor = tensor
    self.desks = desks
    self.pool = pool
  }

  /// Calls `body` with the address of the first byte; for forms that take the elements in no order.
  package func whole(_ body: (UnsafeRawPointer) throws -> Void) rethrows {
    try tensor.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      tensor.storage.preparePages(bytes)
      defer { tensor.storage.releasePages(bytes) }
      try body(base)
    }
  }

  /// Calls `body` on all threads for each of `count` parts with the address of copies of some ranges of the bytes, one
  /// after the other.
  ///
  /// - Parameters:
  ///   - partBytes: about what the ranges of a part have in all.
  ///   - ranges: of a part.
  package func joined(
    _ count: Int, partBytes: Int, _ ranges: (Int) -> [Range<Int>], _ body: (Int, UnsafeRawPointer) -> Void
  ) throws {
    let failure = Locked<(any Error)?>(nil)
    tensor.withUnsafeBytes { bytes in
      let chunks = Chunks(count, cost: Self.cost(partBytes))
      pool.run(chunks.count) { chunk, thread in
        do {
          for part in chunks[chunk] {
            let ranges = ranges(part)
            let desk = try desks.desk(of: thread, ranges.reduce(0) { $0 + $1.count })
            var target = desk
            for range in ranges {
              try tensor.storage.copy(UnsafeRawBufferPointer(rebasing: bytes[range]), to: target)
              target += range.count
            }
            body(part, desk)
          }
        } catch {
          failure.withLock { $0 = error }
        }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  /// Packing runs at the speed of memory, some bytes in a nanosecond.
  private static func cost(_ byteCount: Int) -> Double { Double(byteCount) / 4 }

  /// Calls `body` on all threads for parts of `count` units that lie one after the other in memory.
  ///
  /// - Parameters:
  ///   - unitBytes: bytes of a unit; the last may have fewer.
  ///   - body: takes a range of units, and where unit 0 would be if all were in memory as this range is.
  package func parts(
    of count: Int, unitBytes: Int, _ body: (Range<Int>, UnsafeRawPointer) -> Void
  ) throws {
    try parts(of: 0..<count, unitBytes: unitBytes, body)
  }

  /// The same for some of the units.
  package func parts(
    of units: Range<Int>, unitBytes: Int, _ body: (Range<Int>, UnsafeRawPointer) -> Void
  ) throws {
    let (first, count) = (units.lowerBound, units.count)
    let perPart = max(1, PackingDesks.partBytes / max(unitBytes, 1))
    let failure = Locked<(any Error)?>(nil)
    tensor.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      let isCopied = tensor.storage.isRestorable && bytes.count >= PackingDesks.leastBytes
      let chunks = Chunks((count + perPart - 1) / perPart, cost: Self.cost(min(perPart, count) * unitBytes))
      pool.run(chunks.count) { chunk, thread in
        for part in chunks[chunk] {
          let range = first + part * perPart..<min(first + (part + 1) * perPart, units.upperBound)
          let start = range.lowerBound * unitBytes
          guard isCopied else {
            body(range, base)
            continue
          }
          do {
            let desk = try desks.desk(of: thread, perPart * unitBytes)
            let end = min(range.upperBound * unitBytes, bytes.count)
            try tensor.storage.copy(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), to: desk)
            body(range, UnsafeRawPointer(desk) - start)
          } catch {
            failure.withLock { $0 = error }
          }
        }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }
}

/// Memory for parts of constants, for each thread its own.
final class PackingDesks: Sendable {
  /// What a part takes about, well within a second-level cache.
  static let partBytes = 256 << 10
  /// Less comes with the pages around it.
  static let leastBytes = 64 << 10

  private let blocks = Locked<[Int: WeightBlock]>([:])

  /// Memory that only this thread uses.
  func desk(of thread: Int, _ byteCount: Int) throws -> UnsafeMutableRawPointer {
    try blocks.withLock { blocks in
      if let block = blocks[thread], block.byteCount >= byteCount { return block.base }
      blocks[thread] = nil
      let block = try WeightBlock(max(byteCount, Self.partBytes))
      blocks[thread] = block
      return block.base
    }
  }

  /// Gives the memory back.
  func clear() { blocks.withLock { $0.removeAll() } }
}
