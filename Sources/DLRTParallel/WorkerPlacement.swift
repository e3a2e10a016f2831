import CKernelSupport
import Glibc
import Synchronization

/// Keeps the workers of a pool off the CPU of the thread that wakes them.
///
/// Linux likes to wake a thread where its waker runs, above all in a virtual machine, whose idle CPUs look as if they
/// were taken. The worker then waits until its caller has done all chunks itself, and what two threads share takes longer
/// than on one. A worker whose CPUs somebody else has chosen meanwhile is left alone.
final class WorkerPlacement: Sendable {
  private let threads: [pthread_t]
  private let everywhere: dlk_affinity
  private let avoided = Atomic<Int32>(-1)

  /// - Parameter threads: may run where the calling thread may.
  init(_ threads: [pthread_t]) {
    self.threads = threads
    var mask = dlk_affinity()
    dlk_affinity_get(&mask)
    everywhere = mask
  }

  /// To be called by one thread at a time.
  func keepOffCaller() {
    let cpu = dlk_affinity_cpu()
    let before = avoided.load(ordering: .relaxed)
    guard cpu != before else { return }
    avoided.store(cpu, ordering: .relaxed)
    withUnsafePointer(to: everywhere) { mask in
      for thread in threads { dlk_affinity_avoid(UInt(thread), mask, before, cpu) }
    }
  }
}
