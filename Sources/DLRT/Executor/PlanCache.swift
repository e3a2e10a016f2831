import DLRTCompiler
import DLRTGraph
import DLRTOperators
import DLRTParallel
import Glibc

/// A stage made ready to run, with instances for concurrent runs and the stages that may follow it.
final class PreparedStage: Sendable {
  let stage: Stage
  /// What the stage was planned for, in the order of its starts.
  let starts: [Planner.Start]
  let pendingOutputs: [Int]
  let next = PlanCache(capacity: 16)
  let frames = FreeList<StageFrame>()

  init(_ stage: Stage, starts: [Planner.Start], pendingOutputs: [Int]) {
    self.stage = stage
    self.starts = starts
    self.pendingOutputs = pendingOutputs
  }

  /// Whether the plan holds for a run that begins with these values.
  func fits(_ values: [StartValue]) -> Bool {
    guard values.count == starts.count else { return false }
    for (value, start) in zip(values, starts) {
      guard value.type == start.type, value.shape == start.shape else { return false }
      if let constant = start.constant, !hasContents(value, constant) { return false }
    }
    return true
  }

  /// Brings the weights of this stage and of those that followed it to memory for good.
  func settle(_ pool: ThreadPool) throws {
    try stage.weights?.settle(pool)
    for following in next.stages { try following.settle(pool) }
  }

  private func hasContents(_ value: StartValue, _ constant: Tensor) -> Bool {
    if constant.byteCount == 0 { return true }
    guard let pointer = value.pointer else { return false }
    if constant.type == .string {
      let refs = pointer.assumingMemoryBound(to: StringRef.self)
      return constant.elements(StringRef.self).enumerated().allSatisfy { refs[$0.offset] == $0.element }
    }
    return memcmp(pointer, constant.pointer, constant.byteCount) == 0
  }
}

/// The most recently used plans, few enough to search in order.
final class PlanCache: Sendable {
  private let capacity: Int
  private let entries = Locked<[PreparedStage]>([])

  init(capacity: Int) { self.capacity = capacity }

  func find(_ values: [StartValue]) -> PreparedStage? {
    entries.withLock { list in
      guard let index = list.firstIndex(where: { $0.fits(values) }) else { return nil }
      let found = list[index]
      if index > 0 {
        list.remove(at: index)
        list.insert(found, at: 0)
      }
      return found
    }
  }

  func insert(_ stage: PreparedStage) {
    entries.withLock { list in
      list.insert(stage, at: 0)
      if list.count > capacity { list.removeLast() }
    }
  }

  var stages: [PreparedStage] { entries.withLock { $0 } }
}
