import Synchronization

/// Words that threads change at the same time, each in lines of the cache of its own, as cores fetch lines by twos.
final class CacheLines: @unchecked Sendable {
  private static let bytes = 128

  private let memory: UnsafeMutableRawPointer

  init(_ count: Int) {
    memory = .allocate(byteCount: count * Self.bytes, alignment: Self.bytes)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: count * Self.bytes)
  }

  deinit { memory.deallocate() }

  /// Word `index`, which begins as 0.
  @inline(__always)
  subscript<Word: AtomicRepresentable>(index: Int, as type: Word.Type) -> UnsafePointer<Atomic<Word>> {
    UnsafePointer((memory + index * Self.bytes).assumingMemoryBound(to: Atomic<Word>.self))
  }
}
