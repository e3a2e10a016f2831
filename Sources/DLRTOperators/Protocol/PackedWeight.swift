import DLRTGraph
import DLRTParallel

/// A constant in a kernel's own layout: its address is known from the start, its contents are there whenever a run has
/// borrowed it of the store.
package final class PackedWeight: @unchecked Sendable {
  /// Writes the packed form, or some of its units, to where they are if the whole begins at an address.
  package typealias Fill = @Sendable (WeightSource, Range<Int>?, UnsafeMutableRawPointer) throws -> Void
  /// Takes units that are in memory, nil for all, and the address where the whole begins or would.
  package typealias Reader = (Range<Int>?, UnsafeRawPointer) throws -> Void

  /// Parts of the packed form that lie one after the other; the last may be smaller.
  package struct Units: Sendable {
    let count: Int
    let byteCount: Int

    package init(count: Int, byteCount: Int) {
      self.count = count
      self.byteCount = byteCount
    }
  }

  package let storage: TensorStorage
  /// nil for memory that nobody takes back.
  let block: WeightBlock?
  private let source: Tensor
  private let fill: Fill
  /// nil for what is always brought as a whole.
  private let units: Units?
  /// The block's generation that held the contents last; `WeightResidency` alone reads and writes it, within its lock.
  private var generation: Int?
  /// Whether a run has needed it before; as the generation.
  private(set) var wasNeeded = false

  /// What is lent of a weight at a time, if it comes in parts.
  private static let partBytes = 5 << 20

  init(
    _ storage: TensorStorage, in block: WeightBlock?, source: Tensor, units: Units? = nil, _ fill: @escaping Fill
  ) {
    self.storage = storage
    self.block = block
    self.source = source
    self.fill = fill
    // Parts of what is small would be no smaller than what is lent anyway.
    self.units = block != nil && storage.byteCount >= 2 * Self.partBytes ? units : nil
  }

  var isFilled: Bool { block.map { generation == $0.generation } ?? true }

  func load(_ desks: PackingDesks, _ pool: ThreadPool) throws {
    try fill(WeightSource(source, desks, pool), nil, storage.base)
    generation = block?.generation
    wasNeeded = true
  }
}

// MARK: In parts

extension PackedWeight {
  /// Whether a run of a new model takes some units after the other, so that never all are in memory.
  var comesInParts: Bool { units != nil }

  /// The parts for so many threads, each of which packs some units.
  func parts(threads: Int) -> PackedWeightParts {
    let (count, unitBytes) = units.map { ($0.count, $0.byteCount) } ?? (1, storage.byteCount)
    let perPart = min(count, max(threads, Self.partBytes / max(unitBytes, 1)))
    return PackedWeightParts(unitCount: count, unitBytes: unitBytes, perPart: perPart)
  }

  /// Writes some units to where they are if the whole begins at an address.
  func load(_ part: Range<Int>, to base: UnsafeMutableRawPointer, _ desks: PackingDesks, _ pool: ThreadPool) throws {
    try fill(WeightSource(source, desks, pool), part, base)
    wasNeeded = true
  }
}

/// Units that come together.
struct PackedWeightParts {
  let unitCount: Int
  let unitBytes: Int
  let perPart: Int

  /// Of the largest.
  var byteCount: Int { perPart * unitBytes }
  var count: Int { (unitCount + perPart - 1) / perPart }

  subscript(index: Int) -> Range<Int> { index * perPart..<min((index + 1) * perPart, unitCount) }
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
