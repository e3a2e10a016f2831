import DLRTCompiler
import DLRTGraph
import DLRTOperators

/// Runs a program: finds or makes the plan for the inputs at hand and walks its stages. Safe to use from many threads.
package final class Executor: Sendable {
  let program: Program
  private let core: ExecutionCore
  private let plans: PlanCache

  init(_ program: Program, core: ExecutionCore) {
    self.program = program
    self.core = core
    plans = PlanCache(capacity: core.planCapacity)
  }

  /// The plans that are kept at present, most recently used first.
  var preparedStages: [PreparedStage] { plans.stages }

  /// Memory for an output, by its number, type and shape, once they are known; nil to have it made.
  package typealias OutputMemory = (Int, DataType, [Int]) -> Tensor?

  /// Runs with inputs in the graph's order; every output is a value of its own.
  func run(
    _ inputs: [Value], control: RunControl, depth: Int = 0, memory: OutputMemory? = nil
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
    _ inputs: [Value], into results: inout [Value?], control: RunControl, depth: Int = 0, memory: OutputMemory? = nil
  ) throws {
    let starts = inputs.map { value in
      StartValue(
        pointer: value.tensor?.mutablePointer, type: value.type, shape: value.tensor?.shape ?? [],
        container: value.tensor == nil ? value : nil)
    }
    try withExtendedLifetime(inputs) {
      let first = try plans.find(starts) ?? prepareFirst(starts)
      try run(first, starts, into: &results, control: control, depth: depth, memory: memory)
    }
  }

  /// The plan for inputs of the given types and shapes, without running it.
  func prepare(_ starts: [StartValue]) throws -> PreparedStage {
    try plans.find(starts) ?? prepareFirst(starts)
  }

  private func prepareFirst(_ starts: [StartValue]) throws -> PreparedStage {
    let graph = program.graph
    let planned = zip(graph.inputs, starts).map { Planner.Start(value: $0, type: $1.type, shape: $1.shape) }
    let made = try prepare(graph.order, planned, Array(graph.outputs.indices))
    plans.insert(made)
    return made
  }

  private func prepare(
    _ nodes: [NodeID], _ starts: [Planner.Start], _ pendingOutputs: [Int]
  ) throws -> PreparedStage {
    let planner = Planner(program: program, environment: core.environment, memoryLimit: core.memoryLimit)
    let stage = try planner.plan(nodes, starts: starts, pendingOutputs: pendingOutputs)
    return PreparedStage(stage, starts: starts, pendingOutputs: pendingOutputs.filter { stage.outputs[$0] == nil })
  }
}

// MARK: One run

extension Executor {
  private func run(
    _ first: PreparedStage, _ starts: [StartValue], into results: inout [Value?], control: RunControl, depth: Int,
    memory: OutputMemory?
  ) throws {
    let graph = program.graph
    // Later stages read what earlier ones made, so all frames stay until the end.
    var frames: [(PreparedStage, StageFrame)] = []
    defer { for (stage, frame) in frames.reversed() { stage.giveBack(frame) } }
    var current = first
    var values = starts
    while true {
      let frame = current.takeFrame(core, outputCount: graph.outputs.count, control: control)
      frames.append((current, frame))
      frame.depth = depth
      try frame.begin(values, control: control)
      try bindOutputs(current.stage, frame, &results, memory)
      try frame.run(depth: depth) { [program] id in (program.graph.label(of: id), program.graph[id].op.description) }
      try deliver(current.stage, frame, &results)
      if current.stage.remaining.isEmpty { return }
      values = current.stage.results.map { frame.start($0.operand) }
      current = try current.next.find(values) ?? prepareNext(current, values, frame)
    }
  }

  /// Gives outputs that a step writes in their final form a tensor to write to.
  private func bindOutputs(
    _ stage: Stage, _ frame: StageFrame, _ results: inout [Value?], _ memory: OutputMemory?
  ) throws {
    for (index, operand) in stage.outputs {
      guard case .output = operand.location, let type = operand.type.dataType else { continue }
      if let given = results[index]?.tensor, given.type == type, given.shape == operand.shape {
        frame.bind(output: index, given.mutablePointer)
      } else {
        let made = try memory?(index, type, operand.shape) ?? Tensor(uninitialized: operand.shape, type: type)
        results[index] = .tensor(made)
        frame.bind(output: index, made.mutablePointer)
      }
    }
  }

  private func deliver(_ stage: Stage, _ frame: StageFrame, _ results: inout [Value?]) throws {
    for (index, operand) in stage.outputs {
      if case .output = operand.location { continue }
      if let given = results[index]?.tensor, .tensor(given.type) == operand.type, given.type != .string,
        given.shape == frame.shape(operand)
      {
        frame.copy(operand, to: given.mutablePointer, byteCount: given.byteCount)
      } else {
        results[index] = try frame.result(operand)
      }
    }
  }

  private func prepareNext(
    _ current: PreparedStage, _ values: [StartValue], _ frame: StageFrame
  ) throws -> PreparedStage {
    let stage = current.stage
    var decisive = Set(stage.decisive)
    var made = try prepareNext(current, values, frame, decisive)
    // A node that needs several values says so one after the other.
    while made.stage.remaining.count == stage.remaining.count, !decisive.isSuperset(of: made.stage.decisive) {
      decisive.formUnion(made.stage.decisive)
      made = try prepareNext(current, values, frame, decisive)
    }
    guard made.stage.remaining.count < stage.remaining.count else {
      let node = stage.remaining.first
      throw DLRTError(
        .unsupportedModel, "the shapes of this node's outputs cannot be found",
        node: node.map { program.graph.label(of: $0) }, operatorName: node.map { program.graph[$0].op.description })
    }
    current.next.insert(made)
    return made
  }
  /// - Parameter decisive: the values whose contents the next stage's shapes depend on.
  private func prepareNext(
    _ current: PreparedStage, _ values: [StartValue], _ frame: StageFrame, _ decisive: Set<ValueID>
  ) throws -> PreparedStage {
    let starts = try zip(current.stage.results, values).map { result, value in
      let constant = decisive.contains(result.value) ? try frame.borrowed(value).copied() : nil
      return Planner.Start(value: result.value, type: value.type, shape: value.shape, constant: constant)
    }
    return try prepare(current.stage.remaining, starts, current.pendingOutputs)
  }
}
