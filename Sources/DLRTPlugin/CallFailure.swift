import DLRT
import DLRTParallel

/// Why a function of an operator fails: what `fail`, or a function of the table that failed last, has to say. Of what fails
/// in the bodies of `parallel`, which run on many threads, the first counts.
struct CallFailure {
  private(set) var reason: DLRTError?
  private var isParallel = false
  private var isDecided = false

  /// One lock for all calls: failures are rare, and a call shall take no memory for them.
  private static let lock = Locked(())

  static func record(_ error: DLRTError, in failure: UnsafeMutablePointer<CallFailure>) {
    lock.withLock { _ in
      guard !failure.pointee.isDecided else { return }
      failure.pointee.reason = error
      failure.pointee.isDecided = failure.pointee.isParallel
    }
  }

  /// Tells that bodies of `parallel` are about to run.
  ///
  /// - Returns: whether `endParallel` must follow. A body that calls `parallel` itself is part of the outer loop.
  static func beginParallel(_ failure: UnsafeMutablePointer<CallFailure>) -> Bool {
    guard !failure.pointee.isParallel else { return false }
    failure.pointee.isParallel = true
    return true
  }

  static func endParallel(_ failure: UnsafeMutablePointer<CallFailure>) {
    failure.pointee.isParallel = false
    failure.pointee.isDecided = false
  }
}
