import DLRTGraph
import DLRTParallel

/// What a running step may ask of the executor.
package protocol RunHost: AnyObject {
  var pool: ThreadPool { get }
  var strings: StringPool { get }

  /// Memory for an output whose size only the data tell.
  func allocate(step: Int, output: Int, _ shape: [Int]) throws -> UnsafeMutableRawPointer
  /// Throws when values of so many bytes, beside what the run holds already, would exceed its limit.
  func checkMemory(_ bytes: Int) throws
  func value(step: Int, input: Int) throws -> Value
  func setValue(step: Int, output: Int, _ value: Value) throws
  /// Throws when the run shall stop.
  func checkCancelled() throws
  /// A number that no other random operator of this run, nor of another run of an unseeded session, gets.
  func nextRandomStream() -> UInt64
  /// Gives back a step's first weights, and brings its later ones.
  func nextWeights(step: Int) throws
  /// Calls `body` for all units of a packed weight, or some after the other.
  func withUnits(of weight: PackedWeight, _ body: PackedWeight.Reader) throws
}

/// A host for single operators: all shapes known, no bodies, no cancelling.
package final class PlainHost: RunHost {
  package let pool: ThreadPool
  package let strings = StringPool()

  package init(pool: ThreadPool = .serial) { self.pool = pool }

  private func unavailable() -> DLRTError { DLRTError(.internalError, "this host runs no such step") }

  package func allocate(step: Int, output: Int, _ shape: [Int]) throws -> UnsafeMutableRawPointer {
    throw unavailable()
  }

  package func value(step: Int, input: Int) throws -> Value { throw unavailable() }
  package func setValue(step: Int, output: Int, _ value: Value) throws { throw unavailable() }
  package func checkMemory(_ bytes: Int) throws {}
  package func checkCancelled() throws {}
  package func nextRandomStream() -> UInt64 { 0 }
  package func nextWeights(step: Int) throws {}

  package func withUnits(of weight: PackedWeight, _ body: PackedWeight.Reader) throws {
    try body(nil, weight.storage.base)
  }
}
