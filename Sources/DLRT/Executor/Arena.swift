import DLRTGraph
import DLRTParallel
import Glibc

/// One block of memory for a stage's values and scratch.
final class ArenaBlock: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  private static let largePage = 2 << 20

  /// Pages come zeroed and only when touched; large ones where the system offers them, since kernels stream through.
  init(byteCount: Int) throws {
    var size = max(byteCount, 4096)
    // The system puts whole large pages, and nothing else, where their addresses allow it. Half of one takes longer in
    // small pages.
    if (Self.largePage / 2..<1 << 46).contains(size) { size = (size + Self.largePage - 1) & ~(Self.largePage - 1) }
    guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), base != MAP_FAILED
    else {
      throw DLRTError(.limitExceeded, "cannot allocate \(byteCount) bytes for a run")
    }
    if size >= Self.largePage { madvise(base, size, MADV_HUGEPAGE) }
    self.base = base
    self.byteCount = size
  }

  deinit { munmap(base, byteCount) }
}

/// Blocks that runs hand back, so that a run of a known plan allocates nothing. A run takes the smallest that is large
/// enough; where none is, the largest makes room for its successor. So there are as many blocks as stages are under way
/// at once, and alternating plans do not make memory grow.
final class ArenaPool: Sendable {
  private let free = Locked<[ArenaBlock]>([])

  func take(_ byteCount: Int) throws -> ArenaBlock {
    let block = free.withLock { list -> ArenaBlock? in
      var best: Int?
      var largest: Int?
      for (index, block) in list.enumerated() {
        if block.byteCount >= byteCount, best.map({ block.byteCount < list[$0].byteCount }) ?? true { best = index }
        if largest.map({ block.byteCount > list[$0].byteCount }) ?? true { largest = index }
      }
      if let best { return list.remove(at: best) }
      if let largest { list.remove(at: largest) }
      return nil
    }
    return try block ?? ArenaBlock(byteCount: byteCount)
  }

  func give(_ block: ArenaBlock) { free.withLock { $0.append(block) } }

  /// The sizes of the blocks that no run uses.
  var byteCounts: [Int] { free.withLock { $0.map(\.byteCount) } }

  /// Gives all unused memory back to the system.
  func trim() { free.withLock { $0.removeAll() } }
}
