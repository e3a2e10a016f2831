import DLRTGraph
import DLRTParallel

/// A constant in a kernel's own layout: its address is known from the start, its contents are there whenever a run has
/// borrowed it of the store.
package final class PackedWeight: @unchecked Sendable {
  /// Writes the packed form; may use the threads of a run.
  package typealias Fill = @Sendable (Tensor, UnsafeMutableRawPointer, ThreadPool) throws -> Void

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

  func load(_ desk: inout PackingDesk, _ pool: ThreadPool) throws {
    try desk.read(source) { try fill($0, storage.base, pool) }
    generation = block?.generation
  }
}

/// Where constants of a file are laid down while they are packed: reading them is cheaper than to map their pages for a
/// single visit, and what was just read is still in a cache.
struct PackingDesk {
  private var block: WeightBlock?

  /// Less comes with the pages around it; more stays in the mapped file, whose reader goes through it in parts.
  private static let copiedBytes = 64 << 10...32 << 20
  /// A large page.
  private static let leastRoom = 2 << 20

  mutating func read(_ tensor: Tensor, _ body: (Tensor) throws -> Void) throws {
    guard tensor.storage.isRestorable, Self.copiedBytes.contains(tensor.byteCount) else {
      return try tensor.withUnsafeBytes { bytes in
        tensor.storage.preparePages(bytes)
        try body(tensor)
        // Most constants have one reader, which now has its own copy.
        tensor.storage.releasePages(bytes)
      }
    }
    let block = try room(tensor.byteCount)
    let copy = block.part(0, tensor.byteCount)
    try tensor.withUnsafeBytes { try tensor.storage.copy($0, to: copy.base) }
    try body(Tensor(tensor.type, tensor.shape, copy))
  }

  /// Gives the memory back.
  mutating func clear() { block = nil }

  private mutating func room(_ byteCount: Int) throws -> WeightBlock {
    if let block, block.byteCount >= byteCount { return block }
    block = nil
    let made = try WeightBlock(max(byteCount, Self.leastRoom))
    block = made
    return made
  }
}

/// The packed weights that one step reads.
package final class PackedWeightList: Sendable {
  private let list = Locked<[PackedWeight]>([])

  package init() {}

  func note(_ weight: PackedWeight) {
    list.withLock { list in
      if !list.contains(where: { $0 === weight }) { list.append(weight) }
    }
  }

  package var weights: [PackedWeight] { list.withLock { $0 } }
}
