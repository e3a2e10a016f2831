import DLRTOperators
import DLRTParallel
import Synchronization

/// The packed weights that a stage's steps read. Until all are in memory for good, a run borrows those of each step.
package final class StageWeights: Sendable {
  private let steps: [[PackedWeight]]
  private let store: WeightStore
  private let settled: Atomic<Bool>
  private let byteCount: Int

  /// - Parameter steps: the weights of each step.
  package init(_ steps: [[PackedWeight]], _ store: WeightStore) {
    self.steps = steps
    self.store = store
    byteCount = steps.joined().reduce(0) { $0 &+ $1.storage.byteCount }
    settled = Atomic(store.areKept(Array(steps.joined())))
  }

  /// What a run may do without asking for weights.
  package var isSettled: Bool { settled.load(ordering: .acquiring) }

  /// Bytes that a run may keep for good of what earlier runs have needed too: a quarter of all, so that no run takes much
  /// longer than the others.
  package var share: Int { max(byteCount / 4, Self.leastShare) }

  private static let leastShare = 16 << 20

  package func borrow(_ step: Int, share: inout Int, _ pool: ThreadPool) throws {
    if !steps[step].isEmpty { try store.borrow(steps[step], share: &share, pool) }
  }

  package func giveBack(_ step: Int) {
    if !steps[step].isEmpty { store.giveBack(steps[step]) }
  }

  package func endRun() {
    store.rest()
    if steps.allSatisfy({ store.areKept($0) }) { settled.store(true, ordering: .releasing) }
  }

  /// Brings all to memory for good.
  package func settle(_ pool: ThreadPool) throws {
    if isSettled { return }
    for weights in steps { try store.keep(weights, pool) }
    store.rest()
    settled.store(true, ordering: .releasing)
  }
}
