import DLRTGraph
import DLRTParallel
import Glibc
import Synchronization

/// Memory for packed weights, which all live as long as their model: handed out one after the other from blocks of the
/// system's large pages. These take a fault for two megabytes instead of four kilobytes, and kernels that stream through
/// them fewer translations of addresses.
final class WeightMemory: Sendable {
  private struct State {
    var block: WeightBlock?
    var used = 0
    /// Bytes of shared blocks that were handed out, and those that are expected in all.
    var total = 0
    var expected = 0
  }

  private let state = Locked(State())

  /// A block is as large as all before it or what is still to come, within these bounds.
  private static let smallestBlock = 256 << 10
  private let largestBlock: Int

  init(largestBlock: Int) { self.largestBlock = largestBlock }

  /// Says that so many more bytes of weights may come to be packed.
  func expect(_ byteCount: Int) {
    // What is large gets a block of its own.
    if byteCount >= largestBlock / 2 { return }
    state.withLock { $0.expected = $0.expected.addingReportingOverflow(byteCount).partialValue }
  }

  /// Uninitialised memory, aligned as kernels like it, and the block that it is in.
  func take(_ byteCount: Int) throws -> (storage: TensorStorage, block: WeightBlock) {
    let (rounded, overflow) = max(byteCount, 1).addingReportingOverflow(TensorStorage.alignment - 1)
    guard byteCount >= 0, !overflow else { throw DLRTError(.limitExceeded, "cannot allocate \(byteCount) bytes") }
    let size = rounded & ~(TensorStorage.alignment - 1)
    return try state.withLock { state in
      // What is large leaves the present block to others.
      if size >= largestBlock / 2 {
        let block = try WeightBlock(size)
        return (block.take(0, byteCount), block)
      }
      defer { state.total &+= size }
      if state.block.map({ state.used + size > $0.byteCount }) ?? true {
        // Where little is to come, a run that takes one block after the other does well with less.
        let most = (1..<4 * largestBlock).contains(state.expected) ? largestBlock / 2 : largestBlock
        let wanted = min(max(state.total, state.expected &- state.total, Self.smallestBlock), most)
        state.block = try WeightBlock(max(wanted, size))
        state.used = 0
      }
      guard let block = state.block else { throw DLRTError(.internalError, "no block of memory") }
      defer { state.used += size }
      return (block.take(state.used, byteCount), block)
    }
  }
}

/// Memory of one or several packed weights. What may change about it, `WeightResidency` changes within its lock.
final class WeightBlock: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int
  /// Bytes from the first to the end of the last that was handed out; the rest needs no memory.
  private let used = Atomic<Int>(0)
  /// Bytes that are mapped: whole large pages, if there is one.
  private let mappedCount: Int
  /// Whether its contents stay.
  var isKept: Bool
  /// Steps under way that read it.
  var readers = 0
  /// Whether memory for its contents was brought.
  private(set) var hasPages = false
  /// How often its contents were given up.
  private(set) var generation = 0

  private static let largePage = SparePages.pageBytes

  init(_ size: Int) throws(DLRTError) {
    // What comes close takes a whole large page: its end is not worth five hundred faults.
    let isLarge = size >= Self.largePage / 2
    let size = isLarge && size < Self.largePage ? Self.largePage : size
    let (length, overflow) = size.addingReportingOverflow(isLarge ? 2 * Self.largePage : 0)
    guard !overflow,
      let start = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), start != MAP_FAILED
    else { throw DLRTError(.limitExceeded, "cannot allocate \(size) bytes") }
    let unit = isLarge ? Self.largePage : 4096
    // A large page has to begin at a multiple of its size.
    let before = -Int(bitPattern: start) & (unit - 1)
    base = start + before
    byteCount = size
    mappedCount = (size + unit - 1) & ~(unit - 1)
    // Little is not worth being cleared twice.
    isKept = !isLarge
    if before > 0 { munmap(start, before) }
    if before + mappedCount < length { munmap(base + mappedCount, length - before - mappedCount) }
    if isLarge { madvise(base, size & ~(Self.largePage - 1), MADV_HUGEPAGE) }
  }

  /// Hands out a part; later ones lie behind it.
  func take(_ offset: Int, _ byteCount: Int) -> TensorStorage {
    use(offset + byteCount)
    return TensorStorage(borrowing: base + offset, byteCount: byteCount, owner: self)
  }

  /// Says how many bytes are needed, from the first on.
  func use(_ byteCount: Int) { used.store(byteCount, ordering: .relaxed) }

  /// Where its large pages are that are needed; the last may be in part only.
  var pages: [UnsafeMutableRawPointer] {
    guard byteCount >= Self.largePage else { return [] }
    return stride(from: 0, to: used.load(ordering: .relaxed), by: Self.largePage).map { base + $0 }
  }

  func fills(_ page: UnsafeMutableRawPointer) -> Bool {
    page + Self.largePage <= base + used.load(ordering: .relaxed)
  }

  /// Whether a large page holds its end, and more.
  var hasMoreThanNeeded: Bool { hasPages && !isKept && (pages.last.map { !fills($0) } ?? false) }

  /// Brings memory for contents that are about to be written.
  func bringPages(_ spare: inout SparePages) {
    if hasPages { return }
    hasPages = true
    spare.move(to: self)
    // While it is lent, a page more than needed goes to the next; what stays must not hold it.
    if let last = pages.last, !fills(last) {
      madvise(last, Self.largePage, isKept ? MADV_NOHUGEPAGE : MADV_HUGEPAGE)
    }
  }

  /// Gives up the contents and leaves the memory to others.
  func leavePages(to spare: inout SparePages) {
    hasPages = false
    generation += 1
    spare.add(self)
  }

  deinit { munmap(base, mappedCount) }
}
