import DLRTParallel

/// Things that wait for their next use; whoever takes one has it alone.
final class FreeList<Item>: Sendable {
  /// Only the list is shared between threads, never an item that is in use.
  private struct Entry: @unchecked Sendable { let item: Item }

  private let entries = Locked<[Entry]>([])

  func take() -> Item? { entries.withLock { $0.popLast() }?.item }

  func give(_ item: Item) {
    let entry = Entry(item: item)
    entries.withLock { $0.append(entry) }
  }
}
