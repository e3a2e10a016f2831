/// Work on many square matrices, one after the other on each of some threads, with memory of a thread's own.
struct MatrixLanes: Sendable {
  let size: Int
  private let count: Int
  private let bytes: Int
  private let lanes: Int

  /// - Parameter bytes: what the work on one matrix needs.
  init(size: Int, count: Int, bytes: Int, _ planning: Planning) {
    self.size = size
    self.count = count
    self.bytes = (bytes + 63) & ~63
    let cost = Double(size) * Double(size) * (Double(size) * 0.3 + 1)
    lanes = min(Chunks(count, cost: cost).count, max(planning.threads, 1))
  }

  var workspace: Int { lanes * bytes }

  func forEach(_ io: borrowing StepIO, _ body: (_ index: Int, _ scratch: UnsafeMutableRawPointer) -> Void) {
    let workspace = io.workspace
    io.parallel(lanes) { lane in
      let share = (count &+ lanes &- 1) / lanes
      for index in lane &* share..<max(min(count, (lane &+ 1) &* share), lane &* share) {
        body(index, workspace + lane &* bytes)
      }
    }
  }
}
