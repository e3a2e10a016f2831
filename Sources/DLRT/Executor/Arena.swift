import DLRTGraph
import Glibc
import Synchronization

/// One block of memory for a stage's values and scratch.
final class ArenaBlock: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  /// Pages come zeroed and only when touched; large ones where the system offers them, since kernels stream through.
  init(byteCount: Int) throws {
    let size = max(byteCount, 4096)
    guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), base != MAP_FAILED
    else {
      throw DLRTError(.limitExceeded, "cannot allocate \(byteCount) bytes for a run")
    }
    if size >= 4 << 20 { madvise(base, size, MADV_HUGEPAGE) }
    self.base = base
    self.byteCount = size
  }

  deinit { munmap(base, byteCount) }
}

/// Blocks that runs hand back, so that a run of a known plan allocates nothing. The number of blocks is that of runs at
/// the same time; a block that is too small is replaced, so memory stays at the largest plan's size.
final class ArenaPool: Sendable {
  private let free = Mutex<[ArenaBlock]>([])

  func take(_ byteCount: Int) throws -> ArenaBlock {
    let block = free.withLock { list -> ArenaBlock? in
      if let index = list.lastIndex(where: { $0.byteCount >= byteCount }) { return list.remove(at: index) }
      _ = list.popLast()
      return nil
    }
    return try block ?? ArenaBlock(byteCount: byteCount)
  }

  func give(_ block: ArenaBlock) { free.withLock { $0.append(block) } }

  /// Gives all unused memory back to the system.
  func trim() { free.withLock { $0.removeAll() } }
}
