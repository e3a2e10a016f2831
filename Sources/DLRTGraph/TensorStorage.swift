import Glibc

/// Memory whose contents the system can bring back, so that pages nobody needs for now may be given up.
package protocol RestorableMemory: AnyObject {
  func release(_ range: UnsafeRawBufferPointer)
  /// Brings the pages of a range that is about to be read.
  func prepare(_ range: UnsafeRawBufferPointer)
  /// Copies a range elsewhere, which is cheaper than bringing its pages for a single reading.
  func copy(_ range: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer) throws(DLRTError)
}

/// Memory of a tensor: allocated here, or borrowed from an owner (a mapped file, a caller's buffer) that it keeps alive.
package final class TensorStorage: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  private let owner: AnyObject?
  private let isOwned: Bool
  /// Bytes that were mapped for it alone.
  private let mappedCount: Int

  /// Vector kernels work best on whole cache lines.
  package static let alignment = 64

  /// Uninitialised memory of `byteCount` bytes, or zeros.
  ///
  /// - Parameter lasts: whether it is a model's, so that much of it is put into the system's large pages: there is a
  ///   fault for each instead of five hundred. What comes and goes is better off where memory is used again.
  package init(byteCount: Int, zeroed: Bool = false, lasts: Bool = false) throws(DLRTError) {
    var pointer: UnsafeMutableRawPointer?
    let (rounded, overflow) = max(byteCount, 1).addingReportingOverflow(Self.alignment - 1)
    let size = rounded & ~(Self.alignment - 1)
    let pages = lasts && !overflow ? LargePages(size) : nil
    mappedCount = pages?.byteCount ?? 0
    pointer = pages?.base
    guard byteCount >= 0, !overflow, pages != nil || posix_memalign(&pointer, Self.alignment, size) == 0, let pointer
    else { throw DLRTError(.limitExceeded, "cannot allocate \(byteCount) bytes") }
    if zeroed { memset(pointer, 0, size) }
    base = pointer
    self.byteCount = byteCount
    owner = nil
    isOwned = true
  }

  /// Memory that `owner` keeps; it must stay unchanged as long as the storage lives.
  package init(borrowing base: UnsafeRawPointer, byteCount: Int, owner: AnyObject?) {
    self.base = UnsafeMutableRawPointer(mutating: base)
    self.byteCount = byteCount
    self.owner = owner
    isOwned = false
    mappedCount = 0
  }

  /// True when nobody else holds the bytes, so that a unique reference may write to them.
  package var isWritable: Bool { isOwned }

  /// Gives up the pages of a range, if the system can bring them back from a file.
  package func releasePages(_ range: UnsafeRawBufferPointer) {
    (owner as? any RestorableMemory)?.release(range)
  }

  /// Brings the pages of a range in few steps instead of a fault for each, if they come from a file.
  package func preparePages(_ range: UnsafeRawBufferPointer) {
    (owner as? any RestorableMemory)?.prepare(range)
  }

  /// True if the bytes come from a file, so that who reads them once had better copy them.
  package var isRestorable: Bool { owner is any RestorableMemory }

  /// Copies a range of the bytes, from their file if they come from one.
  package func copy(_ range: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer) throws(DLRTError) {
    if let owner = owner as? any RestorableMemory {
      try owner.copy(range, to: target)
    } else if let start = range.baseAddress {
      memcpy(target, start, range.count)
    }
  }

  deinit {
    if mappedCount > 0 {
      munmap(base, mappedCount)
    } else if isOwned {
      free(base)
    }
  }
}

/// New memory that begins with the system's large pages; its end takes no more than it needs.
private struct LargePages {
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  private static let page = 2 << 20

  /// nil for less than two pages, or where the system has no room.
  init?(_ size: Int) {
    guard size >= 2 * Self.page, size <= Int.max - 2 * Self.page,
      let start = mmap(nil, size + Self.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      start != MAP_FAILED
    else { return nil }
    // A large page has to begin at a multiple of its size.
    let before = -Int(bitPattern: start) & (Self.page - 1)
    base = start + before
    byteCount = size + Self.page - before
    if before > 0 { munmap(start, before) }
    madvise(base, size & ~(Self.page - 1), MADV_HUGEPAGE)
  }
}
