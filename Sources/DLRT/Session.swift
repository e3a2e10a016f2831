import DLRTCompiler
import DLRTGraph
import DLRTKernels
import DLRTOperators
import DLRTParallel
import Glibc
import Synchronization

/// Choices of a session.
public struct SessionOptions: Sendable {
  /// Threads of a run, the caller included; nil for the process's CPU budget (affinity and control-group quota).
  public var threads: Int?
  /// The most bytes that one run may take for its values, those that it returns included; nil for the machine's memory.
  /// A run that would need more is refused before it starts, or where the data decide, before the memory is taken.
  public var memoryLimit: Int?
  /// Where random operators without a seed of their own start; nil for a different start in every run.
  public var seed: UInt64?
  /// How many plans are kept, one for each combination of input shapes; at least 1.
  public var planCapacity: Int

  public init(threads: Int? = nil, memoryLimit: Int? = nil, seed: UInt64? = nil, planCapacity: Int = 8) {
    self.threads = threads
    self.memoryLimit = memoryLimit
    self.seed = seed
    self.planCapacity = planCapacity
  }
}

/// Runs a model. A session may be used from many threads at once; it keeps the plans and the memory of past runs, so
/// that a further run of the same shapes allocates nothing but its outputs.
public final class Session: Sendable {
  public let model: Model
  public let threads: Int
  let executor: Executor
  let core: ExecutionCore
  let checker: InputChecker
  private let seed: UInt64?
  private let runs = Atomic<UInt64>(0)

  public convenience init(_ model: Model, options: SessionOptions = SessionOptions()) throws {
    try self.init(model, options: options, kernels: .active)
  }

  /// - Parameter kernels: the instruction set to use; tests compare them all.
  package init(_ model: Model, options: SessionOptions, kernels: KernelSet) throws {
    if let threads = options.threads, !(1...1024).contains(threads) {
      throw DLRTError(.invalidArgument, "no such number of threads", expected: "1...1024", got: "\(threads)")
    }
    if let limit = options.memoryLimit, limit < 0 {
      throw DLRTError(.invalidArgument, "no such memory limit", expected: "at least 0", got: "\(limit)")
    }
    self.model = model
    checker = InputChecker(model)
    let pool =
      switch options.threads {
      case nil: ThreadPool.process
      case 1: ThreadPool.serial
      case let count?: count == CPUBudget.threads ? ThreadPool.process : ThreadPool(threads: count)
      }
    threads = pool.threads
    seed = options.seed
    let environment = PlanEnvironment(
      kernels: kernels, pool: pool, weights: model.weights, seed: options.seed ?? 0)
    core = ExecutionCore(
      environment: environment, pool: pool, memoryLimit: options.memoryLimit ?? Self.machineMemory,
      planCapacity: max(1, options.planCapacity))
    executor = try Executor(model.program, core: core)
  }

  private static let machineMemory: Int = {
    let (bytes, overflow) = sysconf(Int32(_SC_PHYS_PAGES)).multipliedReportingOverflow(by: sysconf(Int32(_SC_PAGESIZE)))
    return overflow || bytes <= 0 ? Int.max >> 1 : bytes
  }()

  /// Runs the model on tensors by input name and returns the tensors among its outputs by name.
  ///
  /// - Throws: `DLRTError`: `invalidInput` for inputs that do not fit the model, `limitExceeded`, `cancelled`.
  public func run(_ inputs: [String: Tensor], options: RunOptions = RunOptions()) throws -> [String: Tensor] {
    let values = try run(values: inputs.mapValues(Value.tensor), options: options)
    return values.compactMapValues(\.tensor)
  }

  /// Runs the model on values of any kind.
  public func run(values: [String: Value], options: RunOptions = RunOptions()) throws -> [String: Value] {
    for name in values.keys.sorted() where !model.inputs.contains(where: { $0.name == name }) {
      let names = model.inputs.map { "'\($0.name)'" }.joined(separator: ", ")
      throw DLRTError(.invalidInput, "the model has no such input", tensor: name, expected: "one of \(names)")
    }
    let results = try run(model.inputs.map { values[$0.name] }, options: options)
    return Dictionary(zip(model.outputs.map(\.name), results)) { first, _ in first }
  }

  /// Runs the model on values in the order of its inputs; nil for one that has a default.
  public func run(_ inputs: [Value?], options: RunOptions = RunOptions()) throws -> [Value] {
    let inputs = try checker.checked(inputs)
    return try controlled(options) { try executor.run(inputs, control: $0) }
  }

  /// Runs the model and writes outputs into given tensors.
  ///
  /// - Parameter outputs: as many as the model has. A tensor of the output's type and shape whose memory nobody else
  ///   holds receives the elements where it is; in the place of anything else (or nil) a new value is put. After an
  ///   error the elements are undefined.
  public func run(_ inputs: [Value?], into outputs: inout [Value?], options: RunOptions = RunOptions()) throws {
    guard outputs.count == model.outputs.count else {
      throw DLRTError(
        .invalidArgument, "wrong number of outputs", expected: "\(model.outputs.count)", got: "\(outputs.count)")
    }
    let inputs = try checker.checked(inputs)
    claim(&outputs, inputs)
    try controlled(options) { try executor.run(inputs, into: &outputs, control: $0) }
  }

  /// Runs the model; `memory` may provide the memory of an output, whose type and shape it is told. Memory that overlaps
  /// an input is not written to while the input is read: the output then is a value of its own.
  package func run(
    _ inputs: [Value?], options: RunOptions, memory: @escaping Executor.OutputMemory
  ) throws -> [Value] {
    let inputs = try checker.checked(inputs)
    return try controlled(options) { control in
      try executor.run(inputs, control: control) { index, type, shape in
        memory(index, type, shape).flatMap { $0.overlaps(any: inputs) ? nil : $0 }
      }
    }
  }

  /// Runs the model and records what each step takes.
  public func profile(
    _ inputs: [Value?], into profiler: Profiler, options: RunOptions = RunOptions()
  ) throws -> [Value] {
    let inputs = try checker.checked(inputs)
    return try controlled(options, profiler) { try executor.run(inputs, control: $0) }
  }

  /// Brings the weights of all plans made so far to their final place in memory.
  ///
  /// Without this, the first run that needs weights packs them and hardly keeps any, and the next runs keep a part
  /// each: whoever runs a model once waits the least, and no run waits for all. Whoever wants equal
  /// latencies from the second run on calls this after the first.
  public func settle() throws {
    try executor.settle()
    try core.settle()
  }

  /// Gives memory that no run uses back to the system. Plans stay.
  public func trim() { core.arenas.trim() }

  private func controlled<R>(
    _ options: RunOptions, _ profiler: Profiler? = nil, _ run: (RunControl) throws -> R
  ) rethrows -> R {
    let number = runs.add(1, ordering: .relaxed).newValue
    return try core.controlled(
      by: options, profiler: profiler, seed: seed ?? number &* 0x9e37_79b9_7f4a_7c15, run)
  }

  /// Leaves only those outputs to write to whose bytes are nobody else's: tensors are values.
  private func claim(_ outputs: inout [Value?], _ inputs: [Value?]) {
    for index in outputs.indices {
      guard case .tensor(var tensor)? = outputs[index] else { continue }
      outputs[index] = nil
      if tensor.isExclusive(), !tensor.overlaps(any: inputs), !tensor.overlaps(any: outputs) {
        outputs[index] = .tensor(tensor)
      }
    }
  }
}

extension Tensor {
  fileprivate func overlaps(any values: [Value?]) -> Bool {
    for case .tensor(let other)? in values where overlaps(other) { return true }
    return false
  }
}
