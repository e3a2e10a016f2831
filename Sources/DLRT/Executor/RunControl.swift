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

/// One run's bounds, in the form that steps look at; the bodies within the run share them. Instances serve one run after
/// the other. Only the thread that runs writes; steps' other threads read the bounds, which then stay as they are.
final class RunControl: @unchecked Sendable {
  private(set) var profiler: Profiler?
  private var cancellation: CancellationToken?
  private var deadline: UInt64?
  private var seed: UInt64 = 0
  private let randomStreams = Atomic<UInt64>(0)
  private let memoryLimit: Int
  private var reserved = 0

  init(memoryLimit: Int) { self.memoryLimit = memoryLimit }

  func begin(_ options: RunOptions, profiler: Profiler?, seed: UInt64) {
    cancellation = options.cancellation
    deadline = options.timeoutNanoseconds.map { timeout in
      let (sum, overflow) = now().addingReportingOverflow(timeout)
      return overflow ? UInt64.max : sum
    }
    self.profiler = profiler
    self.seed = seed
    randomStreams.store(0, ordering: .relaxed)
  }

  func end() {
    cancellation = nil
    profiler = nil
  }

  func check() throws {
    if let cancellation, cancellation.isCancelled { throw DLRTError(.cancelled, "the run was cancelled") }
    if let deadline, now() > deadline { throw DLRTError(.cancelled, "the run's time is over") }
  }

  func nextRandomStream() -> UInt64 {
    seed &+ randomStreams.add(1, ordering: .relaxed).newValue
  }
}

// MARK: Memory

extension RunControl {
  /// Throws when values of so many bytes, beside what the run holds already, would exceed its limit.
  func checkMemory(_ bytes: Int) throws {
    guard bytes <= memoryLimit - reserved else {
      throw DLRTError(
        .limitExceeded, "the run needs more memory than allowed", expected: "at most \(memoryLimit) bytes",
        got: "\(bytes) bytes beside \(reserved)")
    }
  }

  func reserve(_ bytes: Int) throws {
    try checkMemory(bytes)
    reserved += bytes
  }

  func release(_ bytes: Int) { reserved -= bytes }
}

/// Nanoseconds of a clock that never goes back.
func now() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}
