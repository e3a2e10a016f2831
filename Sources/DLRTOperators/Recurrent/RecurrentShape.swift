/// The sizes of one recurrent layer, and where its rows are in memory.
struct RecurrentShape: Sendable {
  let steps: Int
  let batch: Int
  let hidden: Int
  let directions: Int
  let batchFirst: Bool
  /// Whether the first direction runs backwards in time; the second always does.
  private let startsReversed: Bool

  init(_ options: RecurrentOptions, _ planning: Planning) {
    let x = planning.shape(0)
    steps = x[options.batchFirst ? 1 : 0]
    batch = x[options.batchFirst ? 0 : 1]
    hidden = planning.shape(2)[2]
    directions = options.directions
    batchFirst = options.batchFirst
    startsReversed = options.isReverse(0)
  }

  /// The position in time that a step works on; a shorter sequence is reversed within its length.
  func time(_ step: Int, _ direction: Int, _ length: Int) -> Int {
    step < length && (direction == 1 || startsReversed) ? length &- 1 &- step : step
  }

  /// Where X has the input of one sequence at one time, in rows.
  func inputRow(_ time: Int, _ sequence: Int) -> Int {
    batchFirst ? sequence &* steps &+ time : time &* batch &+ sequence
  }

  /// Where Y has an output, in elements.
  func outputOffset(_ time: Int, _ direction: Int, _ sequence: Int) -> Int {
    batchFirst
      ? ((sequence &* steps &+ time) &* directions &+ direction) &* hidden
      : ((time &* directions &+ direction) &* batch &+ sequence) &* hidden
  }

  /// Where initial and last states have one sequence, in elements.
  func stateOffset(_ direction: Int, _ sequence: Int) -> Int {
    (batchFirst ? sequence &* directions &+ direction : direction &* batch &+ sequence) &* hidden
  }
}
