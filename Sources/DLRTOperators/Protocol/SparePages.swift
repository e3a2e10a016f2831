import CKernelSupport
import Glibc

/// Large pages that blocks of weights have given up, for the blocks that come next.
///
/// To give a page back to the system and to fault in another costs several times as much as to move it: the system clears
/// what it hands out, which also drives everything else from the nearer caches.
struct SparePages {
  static let pageBytes = 2 << 20

  /// Pages whose contents nobody needs, in blocks that live as long as their model.
  private var places: [UnsafeMutableRawPointer] = []

  /// Takes over the memory of a block.
  mutating func add(_ block: WeightBlock) {
    places += block.pages
  }

  /// Brings pages to a block that has none yet. Where there are too few, the system puts new ones when they are touched.
  mutating func move(to block: WeightBlock) {
    var missing: [UnsafeMutableRawPointer] = []
    for page in block.pages {
      guard let own = places.firstIndex(of: page) else {
        missing.append(page)
        continue
      }
      places.remove(at: own)
      // What stays for good takes no more memory than it needs.
      if block.isKept, !block.fills(page) { Self.discard(page) }
    }
    for page in missing where !block.isKept || block.fills(page) {
      guard let spare = places.popLast() else { return }
      if dlk_move_pages(spare, page, Self.pageBytes) == 0 { Self.discard(spare) }
    }
  }

  /// Gives all to the system.
  mutating func clear() {
    for place in places { Self.discard(place) }
    places.removeAll()
  }

  private static func discard(_ page: UnsafeMutableRawPointer) { madvise(page, pageBytes, MADV_DONTNEED) }
}
