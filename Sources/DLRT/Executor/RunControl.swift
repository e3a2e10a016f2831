import DLRTGraph
import Glibc
import Synchronization

/// Stops a run from another thread.
public final class CancellationToken: Sendable {
  private let flag = Atomic<Bool>(false)

  public init() {}

  /// Makes every run that uses this token throw `.cancelled` at its next step.
  public func cancel() { flag.store(true, ordering: .relaxed) }

  public var isCancelled: Bool { flag.load(ordering: .relaxed) }

  /// Allows the token's next run.
  public func reset() { flag.store(false, ordering: .relaxed) }
}

/// What bounds one run.
public struct RunOptions: Sendable {
  /// Looked at between steps and inside long ones.
  public var cancellation: CancellationToken?
  /// Nanoseconds from the start of the run until it throws `.cancelled`; nil for no deadline.
  public var timeoutNanoseconds: UInt64?

  public init(cancellation: CancellationToken? = nil, timeoutNanoseconds: UInt64? = nil) {
    self.cancellation = cancellation
    self.timeoutNanoseconds = timeoutNanoseconds
  }
}

/// A run's bounds in the form that steps look at.
final class RunControl: Sendable {
  let cancellation: CancellationToken?
  let deadline: UInt64?
  let profiler: Profiler?
  let seed: UInt64
  private let randomStreams = Atomic<UInt64>(0)

  init(_ options: RunOptions, profiler: Profiler?, seed: UInt64) {
    cancellation = options.cancellation
    deadline = options.timeoutNanoseconds.map { now() &+ $0 }
    self.profiler = profiler
    self.seed = seed
  }

  func check() throws {
    if let cancellation, cancellation.isCancelled { throw DLRTError(.cancelled, "the run was cancelled") }
    if let deadline, now() > deadline { throw DLRTError(.cancelled, "the run's time is over") }
  }

  func nextRandomStream() -> UInt64 {
    seed &+ randomStreams.add(1, ordering: .relaxed).newValue
  }
}

/// Nanoseconds of a clock that never goes back.
func now() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}
