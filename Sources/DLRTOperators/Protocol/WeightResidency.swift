import DLRTParallel

/// Which packed weights are in memory while a model is new.
///
/// Memory that a process has never touched is dear: the system has to find and clear it, and in a virtual machine often
/// its host too. So a plan's first run lends all weights the same few pages: what a step needs is packed as the step
/// begins, and the pages of steps before go to the next. Every later run keeps a share for good, until all is there; so
/// who runs a model once never pays for what only many runs need, and no single run pays for all.
final class WeightResidency: Sendable {
  /// Blocks with contents that may be taken back.
  private let lent = Locked<[WeightBlock]>([])

  /// Brings weights to memory until `giveBack`.
  ///
  /// - Parameter share: bytes that this run may still keep for good.
  func borrow(_ weights: [PackedWeight], share: inout Int, _ pool: ThreadPool) throws {
    try lent.withLock { lent in
      for weight in weights {
        guard let block = weight.block else { continue }
        if !block.isKept, weight.wasFilled, share > 0 {
          share -= block.byteCount
          keep(block, &lent)
        }
        if weight.isFilled { continue }
        takeBack(&lent, for: weights)
        try weight.load(pool)
        if !block.isKept, !lent.contains(where: { $0 === block }) { lent.append(block) }
      }
      for weight in weights { weight.block?.readers += 1 }
    }
  }

  func giveBack(_ weights: [PackedWeight]) {
    lent.withLock { _ in
      for weight in weights { weight.block?.readers -= 1 }
    }
  }

  /// Brings weights to memory for good.
  func keep(_ weights: [PackedWeight], _ pool: ThreadPool) throws {
    try lent.withLock { lent in
      for weight in weights {
        if let block = weight.block { keep(block, &lent) }
        if !weight.isFilled { try weight.load(pool) }
      }
    }
  }

  /// Whether weights are in memory for good.
  func areKept(_ weights: [PackedWeight]) -> Bool {
    lent.withLock { _ in weights.allSatisfy { $0.isFilled && $0.block?.isKept ?? true } }
  }

  private func keep(_ block: WeightBlock, _ lent: inout [WeightBlock]) {
    block.isKept = true
    lent.removeAll { $0 === block }
  }

  private func takeBack(_ lent: inout [WeightBlock], for weights: [PackedWeight]) {
    lent.removeAll { block in
      block.readers == 0 && !weights.contains { $0.block === block } && block.discard()
    }
  }
}
