import Synchronization

/// The chunks of a loop that have not been taken up, dealt out to the threads of a pool in adjacent ranges.
///
/// A thread takes its own chunks from the front and then the others' from the back. Equal parts of one loop after the
/// other thus go to the same thread, whose cache holds what it has made of them, unless it comes late.
struct ChunkShares: Sendable {
  /// A share is a word: the loop's number, the first chunk and the chunk after the last. A thread that has looked at one
  /// loop's share cannot take a chunk of another's.
  private static let bits: UInt64 = 20
  static let mostChunks = (1 << 20) - 1

  private let lines: CacheLines
  private let first: Int
  private let threads: Int

  /// - Parameter first: of `threads` words among `lines`.
  init(_ lines: CacheLines, first: Int, threads: Int) {
    self.lines = lines
    self.first = first
    self.threads = threads
  }

  /// Begins a loop of at most `mostChunks`. All chunks of the loop before must have been taken.
  func deal(_ chunks: Int) {
    let number = self[0].pointee.load(ordering: .relaxed) >> (2 * Self.bits) &+ 1
    for thread in 0..<threads {
      let start = Self.start(thread, chunks, threads), end = Self.start(thread + 1, chunks, threads)
      self[thread].pointee.store(
        number << (2 * Self.bits) | UInt64(start) << Self.bits | UInt64(end), ordering: .releasing)
    }
  }

  /// The first chunk of a thread's share.
  @inline(__always)
  static func start(_ thread: Int, _ chunks: Int, _ threads: Int) -> Int { chunks * thread / threads }

  /// A chunk that nobody else takes, or nil when none is left.
  func take(_ thread: Int) -> Int? {
    for offset in 0..<threads {
      let owner = thread + offset < threads ? thread + offset : thread + offset - threads
      var share = self[owner].pointee.load(ordering: .acquiring)
      while true {
        let start = share >> Self.bits & UInt64(Self.mostChunks), end = share & UInt64(Self.mostChunks)
        guard start < end else { break }
        let rest = offset == 0 ? share &+ 1 << Self.bits : share &- 1
        let (exchanged, original) = self[owner].pointee.compareExchange(
          expected: share, desired: rest, ordering: .acquiringAndReleasing)
        if exchanged { return Int(offset == 0 ? start : end &- 1) }
        share = original
      }
    }
    return nil
  }

  private subscript(thread: Int) -> UnsafePointer<Atomic<UInt64>> { lines[first + thread, as: UInt64.self] }
}
