import DLRTCompiler
import DLRTGraph
import DLRTKernels
import DLRTOperators
import DLRTParallel
import Synchronization

/// Choices of a session.
public struct SessionOptions: Sendable {
  /// Threads of a run, the caller included; nil for the process's CPU budget (affinity and control-group quota).
  public var threads: Int?
  /// The most bytes that one run may take for its values; a run that would need more is refused before it starts, or
  /// where the data decide, before the memory is taken.
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
    self.model = model
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
      environment: environment, pool: pool, memoryLimit: options.memoryLimit ?? Int.max >> 1,
      planCapacity: max(1, options.planCapacity))
    executor = Executor(model.program, core: core)
  }

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
    let complete = try checked(inputs)
    return try executor.run(complete, control: control(options, nil))
  }

  /// Runs the model and writes outputs into given tensors.
  ///
  /// - Parameter outputs: as many as the model has. A tensor of the output's type and shape receives its elements; in
  ///   the place of anything else (or nil) a new value is put.
  public func run(_ inputs: [Value?], into outputs: inout [Value?], options: RunOptions = RunOptions()) throws {
    guard outputs.count == model.outputs.count else {
      throw DLRTError(
        .invalidArgument, "wrong number of outputs", expected: "\(model.outputs.count)", got: "\(outputs.count)")
    }
    let complete = try checked(inputs)
    try executor.run(complete, into: &outputs, control: control(options, nil))
  }

  /// Runs the model; `memory` may provide the memory of an output, whose type and shape it is told.
  package func run(
    _ inputs: [Value?], options: RunOptions, memory: @escaping Executor.OutputMemory
  ) throws -> [Value] {
    try executor.run(checked(inputs), control: control(options, nil), memory: memory)
  }

  /// Runs the model and records what each step takes.
  public func profile(
    _ inputs: [Value?], into profiler: Profiler, options: RunOptions = RunOptions()
  ) throws -> [Value] {
    try executor.run(checked(inputs), control: control(options, profiler))
  }

  /// Gives memory that no run uses back to the system. Plans stay.
  public func trim() { core.arenas.trim() }

  private func control(_ options: RunOptions, _ profiler: Profiler?) -> RunControl {
    let run = runs.add(1, ordering: .relaxed).newValue
    return RunControl(options, profiler: profiler, seed: seed ?? run &* 0x9e37_79b9_7f4a_7c15)
  }
}
