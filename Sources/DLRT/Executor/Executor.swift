import DLRTCompiler
import DLRTGraph
import DLRTOperators
import DLRTParallel

/// Runs a program: finds or makes the plan for the inputs at hand and walks its stages. Safe to use from many threads.
package final class Executor: Sendable {
  let program: Program
  /// The session's; it keeps the executors of control-flow bodies, so it must not be kept by them.
  private unowned let core: ExecutionCore
  private let plans: PlanCache
  /// Held while a plan is made, so that threads that start at once make one plan together.
  private let planning = Locked(())
  private let idle = FreeList<Walk>()
  /// By input; nil where there is none.
  private let defaults: [Value?]

  init(_ program: Program, core: ExecutionCore) throws {
    self.program = program
    self.core = core
    plans = PlanCache(capacity: core.planCapacity)
    defaults = try program.graph.inputs.map { try program.graph.defaults[$0].map { .tensor(try $0.aligned()) } }
  }

  /// The plans that are kept at present, most recently used first.
  var preparedStages: [PreparedStage] { plans.stages }

  /// Memory for an output, by its number, type and shape, once they are known; nil to have it made.
  package typealias OutputMemory = (Int, DataType, [Int]) -> Tensor?

  /// Runs with inputs in the graph's order, nil for those with a default; every output is a value of its own.
  func run(
    _ inputs: [Value?], control: RunControl, depth: Int = 0, memory: OutputMemory? = nil
  ) throws -> [Value] {
    var results = [Value?](repeating: nil, count: program.graph.outputs.count)
    try run(inputs, into: &results, control: control, depth: depth, memory: memory)
    return try results.enumerated().map { index, value in
      guard let value else { throw DLRTError(.internalError, "output \(index) was never made") }
      return value
    }
  }

  /// Runs; a tensor that stands in `results` before receives the output's bytes, if type and shape are the output's.
  func run(
    _ inputs: [Value?], into results: inout [Value?], control: RunControl, depth: Int = 0, memory: OutputMemory? = nil
  ) throws {
    try control.check()
    let walk = idle.take() ?? Walk()
    defer {
      walk.end()
      idle.give(walk)
    }
    for (index, input) in inputs.enumerated() {
      guard let value = input ?? defaults[index] else {
        throw DLRTError(
          .internalError, "an input without a value", tensor: program.graph[program.graph.inputs[index]].name)
      }
      walk.values.append(StartValue(value))
    }
    // Frames hold addresses only.
    try withExtendedLifetime(inputs) {
      try run(walk, into: &results, control: control, depth: depth, memory: memory)
    }
  }

  /// Brings the weights of all plans to memory for good.
  func settle() throws {
    for stage in plans.stages { try stage.settle(core.pool) }
  }

  /// The plan for inputs of the given types and shapes, without running it.
  func prepare(_ starts: [StartValue]) throws -> PreparedStage {
    try plans.find(starts) ?? prepareFirst(starts)
  }
}

/// The frames of one run, in the order of its stages. Later stages read what earlier ones made, so all stay until the
/// end; the walk itself serves one run after the other.
private final class Walk {
  /// What the next stage begins with.
  var values: [StartValue] = []
  private var frames: [(stage: PreparedStage, frame: StageFrame)] = []

  func enter(_ stage: PreparedStage, _ frame: StageFrame) { frames.append((stage, frame)) }

  func end() {
    values.removeAll(keepingCapacity: true)
    for (stage, frame) in frames.reversed() {
      frame.end()
      stage.frames.give(frame)
    }
    frames.removeAll(keepingCapacity: true)
  }
}

// MARK: One run

extension Executor {
  private func run(
    _ walk: Walk, into results: inout [Value?], control: RunControl, depth: Int, memory: OutputMemory?
  ) throws {
    var current = try prepare(walk.values)
    while true {
      let stage = current.stage
      let frame =
        current.frames.take()
        ?? StageFrame(stage, core: core, outputCount: program.graph.outputs.count, control: control)
      walk.enter(current, frame)
      try frame.begin(walk.values, control: control, depth: depth)
      try bindOutputs(stage, frame, &results, memory)
      try frame.run(program)
      try deliver(stage, frame, &results)
      if stage.remaining.isEmpty { return }
      walk.values.removeAll(keepingCapacity: true)
      for result in stage.results { walk.values.append(frame.start(result.operand)) }
      current = try current.next.find(walk.values) ?? prepareNext(current, walk.values, frame)
    }
  }

  /// Gives outputs that a step writes in their final form a tensor to write to.
  private func bindOutputs(
    _ stage: Stage, _ frame: StageFrame, _ results: inout [Value?], _ memory: OutputMemory?
  ) throws {
    for output in stage.outputs {
      guard case .output = output.operand.location, let type = output.operand.type.dataType else { continue }
      if let given = results[output.index]?.tensor, given.type == type, given.shape == output.operand.shape {
        frame.bind(output: output.index, given.mutablePointer)
      } else if let given = memory?(output.index, type, output.operand.shape) {
        results[output.index] = .tensor(given)
        frame.bind(output: output.index, given.mutablePointer)
      } else {
        try frame.reserve(Tensor.byteCount(type, output.operand.shape))
        let made = try Tensor(uninitialized: output.operand.shape, type: type)
        results[output.index] = .tensor(made)
        frame.bind(output: output.index, made.mutablePointer)
      }
    }
  }

  private func deliver(_ stage: Stage, _ frame: StageFrame, _ results: inout [Value?]) throws {
    for output in stage.outputs {
      let operand = output.operand
      if case .output = operand.location { continue }
      if let given = results[output.index]?.tensor, .tensor(given.type) == operand.type, given.type != .string,
        given.shape == frame.shape(operand)
      {
        frame.copy(operand, to: given.mutablePointer, byteCount: given.byteCount)
      } else {
        results[output.index] = try frame.result(operand)
      }
    }
  }
}

// MARK: Planning

extension Executor {
  private func prepareFirst(_ starts: [StartValue]) throws -> PreparedStage {
    try planning.withLock { _ in
      // Another thread may have made it meanwhile.
      if let found = plans.find(starts) { return found }
      let graph = program.graph
      let planned = zip(graph.inputs, starts).map { Planner.Start(value: $0, type: $1.type, shape: $1.shape) }
      let made = try plan(graph.order, planned, Array(graph.outputs.indices))
      plans.insert(made)
      return made
    }
  }

  private func prepareNext(
    _ current: PreparedStage, _ values: [StartValue], _ frame: StageFrame
  ) throws -> PreparedStage {
    try planning.withLock { _ in
      if let found = current.next.find(values) { return found }
      let made = try planNext(current, values, frame)
      current.next.insert(made)
      return made
    }
  }

  private func planNext(
    _ current: PreparedStage, _ values: [StartValue], _ frame: StageFrame
  ) throws -> PreparedStage {
    let stage = current.stage
    var decisive = Set(stage.decisive)
    var made = try planNext(current, values, frame, decisive)
    // A node that needs several values says so one after the other.
    while made.stage.remaining.count == stage.remaining.count, !decisive.isSuperset(of: made.stage.decisive) {
      decisive.formUnion(made.stage.decisive)
      made = try planNext(current, values, frame, decisive)
    }
    guard made.stage.remaining.count < stage.remaining.count else {
      let node = stage.remaining.first
      throw DLRTError(
        .unsupportedModel, "the shapes of this node's outputs cannot be found",
        node: node.map { program.graph.label(of: $0) }, operatorName: node.map { program.graph[$0].op.description })
    }
    return made
  }

  /// - Parameter decisive: the values whose contents the next stage's shapes depend on.
  private func planNext(
    _ current: PreparedStage, _ values: [StartValue], _ frame: StageFrame, _ decisive: Set<ValueID>
  ) throws -> PreparedStage {
    let starts = try zip(current.stage.results, values).map { result, value in
      let constant = decisive.contains(result.value) ? try frame.borrowed(value).copied() : nil
      return Planner.Start(value: result.value, type: value.type, shape: value.shape, constant: constant)
    }
    return try plan(current.stage.remaining, starts, current.pendingOutputs)
  }

  private func plan(
    _ nodes: [NodeID], _ starts: [Planner.Start], _ pendingOutputs: [Int]
  ) throws -> PreparedStage {
    let planner = Planner(program: program, environment: core.environment, memoryLimit: core.memoryLimit)
    let stage = try planner.plan(nodes, starts: starts, pendingOutputs: pendingOutputs)
    let delivered = Set(stage.outputs.map(\.index))
    return PreparedStage(stage, starts: starts, pendingOutputs: pendingOutputs.filter { !delivered.contains($0) })
  }
}
