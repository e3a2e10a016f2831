import CKernelSupport
import Glibc
import Synchronization

/// Threads that share the chunks of a loop with the caller.
///
/// The caller takes part, and waits for finished *chunks*, not for workers: a worker that the system has descheduled
/// delays nothing but its own chunk. Workers spin for some microseconds after a loop, then sleep. A loop that finds the
/// pool busy (another thread's run, or a loop within a loop) runs on the caller alone, so nothing ever blocks on a lock.
package final class ThreadPool: Sendable {
  package let threads: Int
  private let shared: Shared
  private let workers: [Worker]

  /// - Parameter threads: the caller included; 1 starts no thread.
  package init(threads: Int) {
    self.threads = max(1, threads)
    let shared = Shared()
    self.shared = shared
    workers = (1..<max(self.threads, 1)).compactMap { Worker(shared, number: $0) }
  }

  /// One pool for the process, as large as its CPU budget.
  package static let process = ThreadPool(threads: CPUBudget.threads)
  /// A pool without threads.
  package static let serial = ThreadPool(threads: 1)

  deinit {
    shared.stop()
    for worker in workers { worker.join() }
  }

  /// Calls `body` once for each index below `count`, in any order, on any thread of the pool.
  package func run(_ count: Int, _ body: (Int) -> Void) {
    run(count) { index, _ in body(index) }
  }

  /// As above; `body` also gets the number, below `threads`, of the thread that calls it. No two calls at the same time
  /// get the same, so that each may have memory of its own by it.
  package func run(_ count: Int, _ body: (_ index: Int, _ thread: Int) -> Void) {
    guard count > 1, !workers.isEmpty, count <= Shared.mostChunks, shared.acquire() else {
      for index in 0..<max(count, 0) { body(index, 0) }
      return
    }
    withoutActuallyEscaping(body) { escaping in
      withUnsafePointer(to: escaping) { pointer in
        shared.perform(count, pointer)
      }
    }
  }
}

extension ThreadPool {
  /// The state that workers and callers share.
  fileprivate final class Shared: Sendable {
    typealias Body = UnsafePointer<(Int, Int) -> Void>

    static let mostChunks = 1 << 20
    private static let spins = 2000

    private let busy = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)
    /// The loop's number in the high half, the next chunk in the low half: a worker takes a chunk only of the loop
    /// that it looked at.
    private let ticket = Atomic<UInt64>(0)
    private let body = Atomic<UInt>(0)
    private let count = Atomic<Int>(0)
    private let finished = Atomic<Int>(0)
    private let sleepers = Atomic<Int>(0)
    private let bell = FutexWord()

    func acquire() -> Bool {
      busy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    }

    func perform(_ chunks: Int, _ pointer: Body) {
      // The low half at its maximum closes the previous loop while the new one is being described.
      let generation = (ticket.load(ordering: .relaxed) >> 32) &+ 1
      ticket.store(generation << 32 | 0xffff_ffff, ordering: .sequentiallyConsistent)
      body.store(UInt(bitPattern: pointer), ordering: .relaxed)
      count.store(chunks, ordering: .relaxed)
      finished.store(0, ordering: .relaxed)
      ticket.store(generation << 32, ordering: .sequentiallyConsistent)
      bell.ring()
      if sleepers.load(ordering: .sequentiallyConsistent) > 0 { bell.wake() }
      work(as: 0)
      var turns = 0
      while finished.load(ordering: .acquiring) < chunks {
        dlk_pause()
        turns += 1
        if turns > Self.spins {
          sched_yield()
          turns = 0
        }
      }
      busy.store(false, ordering: .releasing)
    }

    /// Takes chunks of the present loop until none is left.
    func work(as thread: Int) {
      while true {
        let current = ticket.load(ordering: .acquiring)
        let index = Int(current & 0xffff_ffff)
        let chunks = count.load(ordering: .relaxed)
        let address = body.load(ordering: .relaxed)
        guard index < chunks else { return }
        // Success proves that count and body belong to this loop: the caller cannot leave it before this chunk is done.
        guard
          ticket.compareExchange(expected: current, desired: current &+ 1, ordering: .acquiringAndReleasing).exchanged,
          let pointer = Body(bitPattern: address)
        else { continue }
        pointer.pointee(index, thread)
        finished.add(1, ordering: .acquiringAndReleasing)
      }
    }

    /// A worker's life.
    func serve(as thread: Int) {
      var heard = bell.value
      while !stopping.load(ordering: .acquiring) {
        work(as: thread)
        var turns = 0
        while bell.value == heard, turns < Self.spins, !stopping.load(ordering: .relaxed) {
          dlk_pause()
          turns += 1
        }
        if bell.value == heard {
          sleepers.add(1, ordering: .sequentiallyConsistent)
          bell.wait(while: heard)
          sleepers.subtract(1, ordering: .sequentiallyConsistent)
        }
        heard = bell.value
      }
    }

    func stop() {
      stopping.store(true, ordering: .releasing)
      bell.ring()
      bell.wake()
    }
  }

  fileprivate final class Worker: @unchecked Sendable {
    private let thread: pthread_t

    /// What a thread starts with.
    private final class Start: Sendable {
      let shared: Shared
      let number: Int

      init(_ shared: Shared, _ number: Int) {
        self.shared = shared
        self.number = number
      }
    }

    init?(_ shared: Shared, number: Int) {
      var handle = pthread_t()
      let context = Unmanaged.passRetained(Start(shared, number))
      let failed = pthread_create(
        &handle, nil,
        { context in
          if let context {
            let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
            start.shared.serve(as: start.number)
          }
          return nil
        }, context.toOpaque())
      guard failed == 0 else {
        context.release()
        return nil
      }
      thread = handle
    }

    func join() { pthread_join(thread, nil) }
  }
}

/// A 32-bit word with a stable address, on which threads sleep.
private final class FutexWord: @unchecked Sendable {
  private let word: UnsafeMutablePointer<Atomic<UInt32>>

  init() {
    word = .allocate(capacity: 1)
    word.initialize(to: Atomic(0))
  }

  deinit {
    word.deinitialize(count: 1)
    word.deallocate()
  }

  var value: UInt32 { word.pointee.load(ordering: .sequentiallyConsistent) }

  func ring() { word.pointee.add(1, ordering: .sequentiallyConsistent) }

  func wake() { _ = dlk_futex_wake(word, Int32.max) }

  func wait(while expected: UInt32) { _ = dlk_futex_wait(word, expected, -1) }
}
