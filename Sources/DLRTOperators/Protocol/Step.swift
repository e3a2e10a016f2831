import CKernelSupport
import DLRTGraph
import DLRTParallel

/// One runnable part of a plan: a body over raw pointers, with all decisions behind it.
package struct Step: Sendable {
  package typealias Body = @Sendable (borrowing StepIO) throws -> Void

  /// What runs, for profiles: `isa-type-variant` for table kernels, a plain word for others.
  package var kernel: String
  /// Multiplications and additions, where they dominate.
  package var flops: Int
  /// Scratch bytes, aligned to 64, valid within one call of the body.
  package var workspace: Int
  /// Constant inputs that were packed, whose original bytes the body never reads.
  package var skippedInputs: Set<Int>
  /// Inputs that the body reads bytewise, so that they need no alignment.
  package var unalignedInputs: Set<Int>
  /// Packed weights that the body begins with: steps before it may fetch what lies there.
  package nonisolated(unsafe) var firstRead: UnsafeRawPointer?
  package let body: Body

  package init(
    kernel: String, flops: Int = 0, workspace: Int = 0, skippedInputs: Set<Int> = [], unalignedInputs: Set<Int> = [],
    firstRead: UnsafeRawPointer? = nil, _ body: @escaping Body
  ) {
    self.kernel = kernel
    self.flops = flops
    self.workspace = workspace
    self.skippedInputs = skippedInputs
    self.unalignedInputs = unalignedInputs
    self.firstRead = firstRead
    self.body = body
  }

  /// A step that does nothing: its outputs are empty, or another's memory.
  package static let nothing = Step(kernel: "none") { _ in }
}

/// A step's view of one run: where its inputs, outputs and scratch memory are.
package struct StepIO: ~Copyable {
  private let operands: UnsafePointer<UnsafeMutableRawPointer?>
  private let inputCount: Int
  package let workspace: UnsafeMutableRawPointer
  package unowned(unsafe) let host: any RunHost
  /// The step's index in its plan, by which the host finds values that are not plain memory.
  package let index: Int
  /// Weights that a later step begins with, to be fetched meanwhile and never to be read.
  package let upcoming: UnsafeRawPointer?

  /// - Parameter operands: addresses of all inputs, then of all outputs; nil where absent.
  package init(
    operands: UnsafePointer<UnsafeMutableRawPointer?>, inputCount: Int, workspace: UnsafeMutableRawPointer,
    host: any RunHost, index: Int, upcoming: UnsafeRawPointer? = nil
  ) {
    self.operands = operands
    self.inputCount = inputCount
    self.workspace = workspace
    self.host = host
    self.index = index
    self.upcoming = upcoming
  }

  /// The same view once more, for what wraps it.
  borrowing func again() -> StepIO {
    StepIO(
      operands: operands, inputCount: inputCount, workspace: workspace, host: host, index: index, upcoming: upcoming)
  }

  package func hasInput(_ index: Int) -> Bool { index < inputCount && operands[index] != nil }

  /// The bytes of an input. Absent inputs and empty tensors have an address that must not be read.
  @inline(__always)
  package func input(_ index: Int) -> UnsafeRawPointer { UnsafeRawPointer(operands[index] ?? workspace) }

  @inline(__always)
  package func input<T>(_ index: Int, as type: T.Type) -> UnsafePointer<T> {
    input(index).assumingMemoryBound(to: type)
  }

  @inline(__always)
  package func output(_ index: Int) -> UnsafeMutableRawPointer { operands[inputCount + index] ?? workspace }

  @inline(__always)
  package func output<T>(_ index: Int, as type: T.Type) -> UnsafeMutablePointer<T> {
    output(index).assumingMemoryBound(to: type)
  }
}

extension StepIO {
  /// Says that the step has read its first packed weights and comes to those that are planned as later ones; while a
  /// model is new, both take the same memory. Called once.
  package func nextWeights() throws { try host.nextWeights(step: index) }

  /// Calls `body` for all units of a packed weight or, while a model is new, for some after the other.
  package func withUnits(of weight: PackedWeight, _ body: PackedWeight.Reader) throws {
    try host.withUnits(of: weight, body)
  }

  /// Calls `body` for every chunk, on the run's threads; returns when all are done. Chunks must be independent.
  package func parallel(_ chunks: Int, _ body: (Int) -> Void) {
    host.pool.run(chunks, body)
  }

  /// As above; `body` also gets the number of its thread, below the plan's threads, by which it may have memory of its
  /// own.
  package func parallel(_ chunks: Int, _ body: (_ index: Int, _ thread: Int) -> Void) {
    host.pool.run(chunks, body)
  }

  /// Whether a chunk is what its thread does last, after which the weights of the next step are wanted.
  package func isLast(_ index: Int, of chunks: Int) -> Bool { host.pool.isLast(index, of: chunks) }

  /// Memory for an output whose size only the data tell.
  package func allocate(output: Int, _ shape: [Int]) throws -> UnsafeMutableRawPointer {
    try host.allocate(step: index, output: output, shape)
  }

  /// Any input as a value: a container, or a tensor that shares the run's memory and must not outlive the step.
  package func value(_ input: Int) throws -> Value { try host.value(step: index, input: input) }

  package func setValue(_ output: Int, _ value: Value) throws { try host.setValue(step: index, output: output, value) }

  /// Throws when the caller has cancelled the run or its deadline has passed; to be called in long loops.
  package func checkCancelled() throws { try host.checkCancelled() }
}
