import DLRTGraph
import DLRTParallel

/// What a running step may ask of the executor. The executor derives from it; a class, so that a step's call costs no
/// retain and no existential.
package class RunHost {
  package let pool: ThreadPool
  package let strings = StringPool()

  package init(pool: ThreadPool) { self.pool = pool }

  private func unavailable() -> DLRTError { DLRTError(.internalError, "this host runs no such step") }

  package func allocate(step: Int, output: Int, _ shape: [Int]) throws -> UnsafeMutableRawPointer {
    throw unavailable()
  }

  package func value(step: Int, input: Int) throws -> Value { throw unavailable() }
  package func setValue(step: Int, output: Int, _ value: Value) throws { throw unavailable() }
  package func checkCancelled() throws {}
  /// How many numbers random operators of this run have drawn from; makes successive runs differ.
  package func nextRandomStream() -> UInt64 { 0 }
}
