import DLRTGraph
import DLRTParallel
import Glibc

/// Keeps the bytes of strings that steps make until the run's outputs have been copied.
package final class StringPool: Sendable {
  private struct Block { nonisolated(unsafe) let start: UnsafeMutablePointer<UInt8> }
  private let blocks = Locked<[Block]>([])

  package init() {}

  package func intern(_ bytes: some Collection<UInt8>) throws -> StringRef {
    let count = bytes.count
    guard count > 0 else { return StringRef(start: nil, count: 0) }
    guard let raw = malloc(count) else { throw DLRTError(.limitExceeded, "cannot allocate \(count) bytes") }
    let start = raw.assumingMemoryBound(to: UInt8.self)
    _ = UnsafeMutableBufferPointer(start: start, count: count).initialize(from: bytes)
    let block = Block(start: start)
    blocks.withLock { $0.append(block) }
    return StringRef(start: UnsafePointer(start), count: count)
  }

  package func removeAll() {
    blocks.withLock { list in
      for block in list { free(block.start) }
      list.removeAll(keepingCapacity: true)
    }
  }

  deinit { removeAll() }
}
