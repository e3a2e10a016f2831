import DLRTCompiler
import DLRTGraph
import DLRTOperators

// The weights of a model that is new, which its runs borrow step by step.

extension StageFrame {
  struct Lending {
    let weights: StageWeights
    /// Bytes that the run may still keep for good.
    var share: Int
    /// Whether the steps under way hold their first or their later weights; nil where neither.
    var holdsLater: Bool?

    init(_ weights: StageWeights) {
      self.weights = weights
      share = weights.share
    }
  }

  func borrow(_ step: Int, later: Bool) throws {
    guard var share = lending?.share else { return }
    defer { lending?.share = share }
    // What is read for each of several images is packed once.
    let inParts = stage.steps[step].images == 1
    try lending?.weights.borrow(step, later: later, share: &share, inParts: inParts, core.pool)
  }

  func giveBack(_ steps: Range<Int>) {
    guard let lending, let later = lending.holdsLater else { return }
    for step in steps { lending.weights.giveBack(step, later: later) }
  }

  func withUnits(of weight: PackedWeight, _ body: PackedWeight.Reader) throws {
    guard let lending else { return try body(nil, weight.storage.base) }
    try lending.weights.withUnits(of: weight, core.pool, body)
  }

  func nextWeights(step: Int) throws {
    guard let lending, lending.holdsLater == false else { return }
    guard stage.steps[step].images == 1 else {
      throw DLRTError(.internalError, "a step that takes image by image has no later weights")
    }
    giveBack(step..<step + 1)
    self.lending?.holdsLater = nil
    try borrow(step, later: true)
    self.lending?.holdsLater = true
  }
}
