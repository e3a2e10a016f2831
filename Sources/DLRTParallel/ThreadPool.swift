import CKernelSupport
import Glibc
import Synchronization

/// Threads that share the chunks of a loop with the caller.
///
/// The caller takes part, and waits for finished *chunks*, not for workers: a worker that the system has descheduled
/// delays nothing but its own chunk. Workers spin for some microseconds after a loop, or longer where more loops are to
/// come, then sleep. A loop that finds the pool busy (another thread's run, or a loop within a loop) runs on the caller
/// alone, so nothing ever blocks on a lock. A thread begins with the same part of every loop, so that its cache holds what
/// it made in the loop before.
package final class ThreadPool: Sendable {
  package let threads: Int
  private let shared: Shared
  private let workers: [Worker]
  private let placement: WorkerPlacement

  /// - Parameter threads: the caller included; 1 starts no thread.
  package init(threads: Int) {
    self.threads = max(1, threads)
    let shared = Shared(threads: self.threads)
    self.shared = shared
    workers = (1..<max(self.threads, 1)).compactMap { Worker(shared, number: $0) }
    placement = WorkerPlacement(workers.map(\.thread))
  }

  /// One pool for the process, as large as its CPU budget.
  package static let process = ThreadPool(threads: CPUBudget.threads)
  /// A pool without threads.
  package static let serial = ThreadPool(threads: 1)

  deinit {
    shared.stop()
    for worker in workers { worker.join() }
  }

  /// Whether a chunk is what a thread does last of a loop, if none comes late.
  package func isLast(_ index: Int, of count: Int) -> Bool {
    guard count > threads else { return true }
    let thread = ((index &+ 1) &* threads &+ count &- 1) / count
    return ChunkShares.start(thread, count, threads) == index &+ 1
  }

  /// Calls `body`, whose loops follow each other closely. A worker that slept between them would have to be woken, for
  /// which a busy machine takes longer than many a loop does.
  package func withLoopsToCome<Result>(_ body: () throws -> Result) rethrows -> Result {
    if workers.isEmpty { return try body() }
    shared.expectLoops()
    defer { shared.expectNoLoops() }
    return try body()
  }

  /// Calls `body` once for each index below `count`, in any order, on any thread of the pool.
  package func run(_ count: Int, _ body: (Int) -> Void) {
    run(count) { index, _ in body(index) }
  }

  /// As above; `body` also gets the number, below `threads`, of the thread that calls it. No two calls at the same time
  /// get the same, so that each may have memory of its own by it.
  package func run(_ count: Int, _ body: (_ index: Int, _ thread: Int) -> Void) {
    guard count > 1, !workers.isEmpty, count <= ChunkShares.mostChunks, shared.acquire() else {
      for index in 0..<max(count, 0) { body(index, 0) }
      return
    }
    withoutActuallyEscaping(body) { escaping in
      withUnsafePointer(to: escaping) { pointer in
        shared.perform(count, pointer, placement)
      }
    }
  }
}

extension ThreadPool {
  /// The state that workers and callers share.
  fileprivate final class Shared: Sendable {
    typealias Body = UnsafePointer<(Int, Int) -> Void>

    /// Some 40 µs on AMD's processors, 90 on Intel's.
    private static let spins = 2000
    /// Between loops of one caller, of which more are to come: 1 to 2 ms.
    private static let patientSpins = 25 * spins

    /// Callers whose loops follow each other.
    private let expecting = Atomic<Int>(0)
    private let busy = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)
    private let body = Atomic<UInt>(0)
    private let sleepers = Atomic<Int>(0)
    private let lines: CacheLines
    private let shares: ChunkShares

    init(threads: Int) {
      lines = CacheLines(2 + threads)
      shares = ChunkShares(lines, first: 2, threads: threads)
    }

    private var finished: UnsafePointer<Atomic<Int>> { lines[0, as: Int.self] }
    /// On which workers sleep.
    private var bell: UnsafePointer<Atomic<UInt32>> { lines[1, as: UInt32.self] }

    func acquire() -> Bool {
      busy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    }

    func perform(_ chunks: Int, _ pointer: Body, _ placement: WorkerPlacement) {
      body.store(UInt(bitPattern: pointer), ordering: .relaxed)
      finished.pointee.store(0, ordering: .relaxed)
      shares.deal(chunks)
      ring()
      if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
        placement.keepOffCaller()
        wake()
      }
      work(as: 0)
      var turns = 0
      while finished.pointee.load(ordering: .acquiring) < chunks {
        dlk_pause()
        turns += 1
        if turns > Self.spins {
          // Workers that are awake stay off its CPU too, wherever the caller has been moved.
          placement.keepOffCaller()
          sched_yield()
          turns = 0
        }
      }
      busy.store(false, ordering: .releasing)
    }

    func expectLoops() { expecting.add(1, ordering: .relaxed) }

    func expectNoLoops() { expecting.subtract(1, ordering: .relaxed) }

    private func ring() { bell.pointee.add(1, ordering: .sequentiallyConsistent) }

    private func wake() { _ = dlk_futex_wake(bell, Int32.max) }

    /// Takes chunks of the present loop until none is left.
    func work(as thread: Int) {
      while let index = shares.take(thread) {
        // The caller cannot leave the loop before this chunk is done, so the body is this loop's.
        guard let pointer = Body(bitPattern: body.load(ordering: .relaxed)) else { return }
        pointer.pointee(index, thread)
        finished.pointee.add(1, ordering: .acquiringAndReleasing)
      }
    }

    /// A worker's life.
    func serve(as thread: Int) {
      var heard = bell.pointee.load(ordering: .sequentiallyConsistent)
      while !stopping.load(ordering: .acquiring) {
        work(as: thread)
        spin(after: heard)
        if bell.pointee.load(ordering: .sequentiallyConsistent) == heard {
          sleepers.add(1, ordering: .sequentiallyConsistent)
          _ = dlk_futex_wait(bell, heard, -1)
          sleepers.subtract(1, ordering: .sequentiallyConsistent)
        }
        heard = bell.pointee.load(ordering: .sequentiallyConsistent)
      }
    }

    /// Waits a while for the bell to ring once more. Where several callers run, each has a CPU to itself at best.
    private func spin(after heard: UInt32) {
      var turns = 0
      while bell.pointee.load(ordering: .acquiring) == heard {
        if turns > 0, turns % Self.spins == 0 {
          if turns == Self.patientSpins || expecting.load(ordering: .relaxed) != 1 { return }
          sched_yield()
        }
        dlk_pause()
        turns += 1
      }
    }

    func stop() {
      stopping.store(true, ordering: .releasing)
      ring()
      wake()
    }
  }

  fileprivate final class Worker: @unchecked Sendable {
    let thread: pthread_t

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
