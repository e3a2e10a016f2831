import DLRTParallel
import Glibc
import Synchronization
import Testing

@Suite struct ThreadPoolTests {
  @Test(arguments: [1, 2, 3, 8]) func everyChunkRunsOnce(_ threads: Int) {
    let pool = ThreadPool(threads: threads)
    for count in [0, 1, 2, 3, 64, 1000] {
      let counts = Locked([Int](repeating: 0, count: count))
      pool.run(count) { index in counts.withLock { $0[index] += 1 } }
      #expect(counts.withLock { $0.allSatisfy { $0 == 1 } })
    }
  }

  @Test func manyShortLoopsFinish() {
    let pool = ThreadPool(threads: 2)
    let total = Atomic<Int>(0)
    for _ in 0..<20_000 { pool.run(4) { total.add($0, ordering: .relaxed) } }
    #expect(total.load(ordering: .relaxed) == 20_000 * 6)
  }

  @Test func loopsWithinLoopsFinish() {
    let pool = ThreadPool(threads: 3)
    let total = Atomic<Int>(0)
    pool.run(8) { _ in pool.run(8) { _ in total.add(1, ordering: .relaxed) } }
    #expect(total.load(ordering: .relaxed) == 64)
  }

  @Test func callersFromManyThreadsFinish() async {
    let pool = ThreadPool(threads: 2)
    let total = Atomic<Int>(0)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask { @Sendable in
          for _ in 0..<2000 { pool.run(3) { _ in total.add(1, ordering: .relaxed) } }
        }
      }
    }
    #expect(total.load(ordering: .relaxed) == 4 * 2000 * 3)
  }

  @Test(arguments: [1, 3]) func loopsAmongOthersFinish(_ threads: Int) async {
    struct Stop: Error {}
    let pool = ThreadPool(threads: threads)
    let total = Atomic<Int>(0)
    await withTaskGroup(of: Void.self) { group in
      for caller in 0..<3 {
        group.addTask { @Sendable in
          for _ in 0..<200 {
            #expect(throws: Stop.self) {
              try pool.withLoopsToCome {
                for _ in 0..<5 { pool.run(4) { total.add($0, ordering: .relaxed) } }
                throw Stop()
              }
            }
            // Long enough for workers to fall asleep now and then.
            usleep(UInt32(caller * 50))
          }
        }
      }
    }
    #expect(total.load(ordering: .relaxed) == 3 * 200 * 5 * 6)
  }

  @Test func budgetIsPositive() {
    #expect(CPUBudget.threads >= 1)
  }
}
