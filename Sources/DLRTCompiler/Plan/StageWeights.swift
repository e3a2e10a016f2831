import DLRTOperators
import DLRTParallel
import Synchronization

/// The packed weights that a stage's steps read. Until all are in memory for good, a run borrows those of each step.
package final class StageWeights: Sendable {
  private let steps: [StepWeights]
  private let store: WeightStore
  private let settled: Atomic<Bool>
  private let byteCount: Int

  /// - Parameter steps: the weights of each step.
  package init(_ steps: [StepWeights], _ store: WeightStore) {
    self.steps = steps
    self.store = store
    let all = steps.flatMap(\.all)
    byteCount = all.reduce(0) { $0 &+ $1.storage.byteCount }
    settled = Atomic(store.areKept(all))
  }

  /// What a run may do without asking for weights.
  package var isSettled: Bool { settled.load(ordering: .acquiring) }

  /// Bytes that a run may keep for good of what earlier runs have needed too: a quarter of all, so that no run takes much
  /// longer than the others.
  package var share: Int { max(byteCount / 4, Self.leastShare) }

  private static let leastShare = 16 << 20

  /// Brings a step's first or later weights; large ones in parts or at once.
  package func borrow(_ step: Int, later: Bool, share: inout Int, inParts: Bool, _ pool: ThreadPool) throws {
    let weights = weights(step, later)
    if !weights.isEmpty { try store.borrow(weights, share: &share, inParts: inParts, pool) }
  }

  package func giveBack(_ step: Int, later: Bool) {
    let weights = weights(step, later)
    if !weights.isEmpty { store.giveBack(weights) }
  }

  /// Calls `body` for all units of a weight that a step has borrowed, or some after the other.
  package func withUnits(of weight: PackedWeight, _ pool: ThreadPool, _ body: PackedWeight.Reader) throws {
    try store.withUnits(of: weight, pool, body)
  }

  private func weights(_ step: Int, _ later: Bool) -> [PackedWeight] {
    later ? steps[step].later : steps[step].first
  }

  package func endRun() {
    store.rest()
    if steps.allSatisfy({ store.areKept($0.all) }) { settled.store(true, ordering: .releasing) }
  }

  /// Brings all to memory for good.
  package func settle(_ pool: ThreadPool) throws {
    if isSettled { return }
    for weights in steps { try store.keep(weights.all, pool) }
    store.rest()
    settled.store(true, ordering: .releasing)
  }
}
