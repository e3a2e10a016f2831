import DLRTGraph
import DLRTParallel

/// What one step of a run took.
public struct StepRecord: Sendable {
  public let node: String
  public let operatorName: String
  /// Which kernel ran, `isa-type-variant` for those of the kernel table.
  public let kernel: String
  /// Nanoseconds from the start of the recording.
  public let start: UInt64
  public let duration: UInt64
  /// Bytes of all inputs and outputs.
  public let bytes: Int
  /// Multiplications and additions, 0 where they do not dominate.
  public let flops: Int
  /// 0 for the model's own steps, 1 for those of a control-flow body, and so on.
  public let depth: Int
}

/// Collects what the steps of runs take.
public final class Profiler: Sendable {
  private let origin = now()
  private let list = Locked<[StepRecord]>([])

  public init() {}

  public var records: [StepRecord] { list.withLock { $0 } }

  public func removeAll() { list.withLock { $0.removeAll(keepingCapacity: true) } }

  func add(_ record: StepRecord) { list.withLock { $0.append(record) } }

  /// Nanoseconds since the recording began.
  func elapsed(_ time: UInt64) -> UInt64 { time &- origin }
}
