import DLRTGraph
import DLRTParallel

/// A constant in a kernel's own layout: its address is known from the start, its contents are there whenever a run has
/// borrowed it of the store.
package final class PackedWeight: @unchecked Sendable {
  /// Writes the packed form.
  package typealias Fill = @Sendable (WeightSource, UnsafeMutableRawPointer) throws -> Void

  package let storage: TensorStorage
  /// nil for memory that nobody takes back.
  let block: WeightBlock?
  private let source: Tensor
  private let fill: Fill
  /// The block's generation that held the contents last; `WeightResidency` alone reads and writes it, within its lock.
  private var generation: Int?

  init(_ storage: TensorStorage, in block: WeightBlock?, source: Tensor, _ fill: @escaping Fill) {
    self.storage = storage
    self.block = block
    self.source = source
    self.fill = fill
  }

  var isFilled: Bool { block.map { generation == $0.generation } ?? true }
  var wasFilled: Bool { generation != nil }

  func load(_ desks: PackingDesks, _ pool: ThreadPool) throws {
    try fill(WeightSource(source, desks, pool), storage.base)
    generation = block?.generation
  }
}

/// The packed weights that one step reads.
package struct StepWeights: Sendable {
  /// From its beginning on.
  package internal(set) var first: [PackedWeight] = []
  /// Once it has called `StepIO.nextWeights`, when it needs the first no longer.
  package internal(set) var later: [PackedWeight] = []

  package init() {}

  package var all: [PackedWeight] { first + later }
}

/// Takes down what a step packs while it is planned.
package final class PackedWeightList: Sendable {
  private let list = Locked(StepWeights())

  package init() {}

  func note(_ weight: PackedWeight, isLater: Bool) {
    list.withLock { list in
      if list.all.contains(where: { $0 === weight }) { return }
      if isLater { list.later.append(weight) } else { list.first.append(weight) }
    }
  }

  package var weights: StepWeights { list.withLock { $0 } }
}
