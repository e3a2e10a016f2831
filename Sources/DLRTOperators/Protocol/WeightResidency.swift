import DLRTParallel

/// Which packed weights are in memory while a model is new.
///
/// Memory that a process has never touched is dear: the system has to find and clear it, and in a virtual machine often
/// its host too. So the first run lends all weights the same few pages: what a step needs is packed as the step begins,
/// and the pages of steps before go to the next. A later run keeps a share of what it finds was needed before, until all
/// is there; so who runs a model once never pays for what only many runs need, and no single run pays for all.
final class WeightResidency: Sendable {
  fileprivate struct State {
    /// Blocks with contents that may be taken back.
    var lent: [WeightBlock] = []
    /// Memory of blocks whose contents were taken back.
    var spare = SparePages()
    /// Blocks for parts of weights, of which no run has need at present.
    var partBlocks: [WeightBlock] = []
  }

  private let state = Locked(State())
  private let desks = PackingDesks()

  /// Brings weights to memory until `giveBack`.
  ///
  /// - Parameters:
  ///   - share: bytes that this run may still keep for good.
  ///   - inParts: whether large ones come when `withUnits` asks for them; else all are there at once.
  func borrow(_ weights: [PackedWeight], share: inout Int, inParts: Bool, _ pool: ThreadPool) throws {
    try state.withLock { state in
      for weight in weights {
        guard let block = weight.block else { continue }
        if !block.isKept, weight.wasNeeded, share > 0 {
          share -= block.byteCount
          state.keep(block)
        }
        if weight.isFilled || inParts && weight.comesInParts && !block.isKept { continue }
        state.takeBack(for: weights)
        block.bringPages(&state.spare)
        try weight.load(desks, pool)
        if !block.isKept, !state.lent.contains(where: { $0 === block }) { state.lent.append(block) }
      }
      for weight in weights { weight.block?.readers += 1 }
    }
  }

  func giveBack(_ weights: [PackedWeight]) {
    state.withLock { _ in
      for weight in weights { weight.block?.readers -= 1 }
    }
  }

  /// Calls `body` for a borrowed weight: once for all units where they are in memory, else for some after the other.
  func withUnits(of weight: PackedWeight, _ pool: ThreadPool, _ body: PackedWeight.Reader) throws {
    let parts = weight.parts(threads: pool.threads)
    let lent = try state.withLock { state in weight.isFilled ? nil : try state.takePartBlock(parts.byteCount) }
    guard let lent else { return try body(nil, weight.storage.base) }
    defer { state.withLock { $0.givePartBlock(lent) } }
    for index in 0..<parts.count {
      let part = parts[index], base = lent.base - part.lowerBound * parts.unitBytes
      try state.withLock { _ in try weight.load(part, to: base, desks, pool) }
      try body(part, base)
    }
  }

  /// Gives back what packing needed, until it is needed again.
  func rest() {
    state.withLock { state in
      desks.clear()
      // To pack once more is cheaper than to hold a page that nobody needs as long as the model lives.
      for block in state.lent where block.readers == 0 && block.hasMoreThanNeeded { block.leavePages(to: &state.spare) }
      state.lent.removeAll { !$0.hasPages }
      state.spare.clear()
    }
  }

  /// Brings weights to memory for good.
  func keep(_ weights: [PackedWeight], _ pool: ThreadPool) throws {
    try state.withLock { state in
      for weight in weights {
        guard let block = weight.block else { continue }
        state.keep(block)
        if weight.isFilled { continue }
        block.bringPages(&state.spare)
        try weight.load(desks, pool)
      }
    }
  }

  /// Whether weights are in memory for good.
  func areKept(_ weights: [PackedWeight]) -> Bool {
    state.withLock { _ in weights.allSatisfy { $0.isFilled && $0.block?.isKept ?? true } }
  }
}

extension WeightResidency.State {
  fileprivate mutating func takePartBlock(_ byteCount: Int) throws -> WeightBlock {
    // What is done leaves its pages to the part.
    takeBack(for: [])
    let fitting = partBlocks.firstIndex { $0.byteCount >= byteCount }
    let block = try fitting.map { partBlocks.remove(at: $0) } ?? WeightBlock(byteCount)
    block.use(byteCount)
    block.bringPages(&spare)
    return block
  }

  fileprivate mutating func givePartBlock(_ block: WeightBlock) {
    block.leavePages(to: &spare)
    partBlocks.append(block)
  }

  fileprivate mutating func keep(_ block: WeightBlock) {
    block.isKept = true
    lent.removeAll { $0 === block }
  }

  fileprivate mutating func takeBack(for weights: [PackedWeight]) {
    let isDone = { (block: WeightBlock) in block.readers == 0 && !weights.contains { $0.block === block } }
    for block in lent where isDone(block) { block.leavePages(to: &spare) }
    lent.removeAll(where: isDone)
  }
}
