import DLRTCompiler
import DLRTGraph
import DLRTOperators

/// What a plan is before it runs.
public struct PlanSummary: Sendable {
  public struct Step: Sendable {
    public let node: String
    public let operatorName: String
    public let kernel: String
    /// Multiplications and additions, 0 where they do not dominate.
    public let flops: Int
    /// Bytes of all inputs and outputs.
    public let bytes: Int
    /// Scratch bytes of the step.
    public let workspace: Int
    /// Output shapes; empty where the data decide.
    public let outputs: [[Int]]
  }

  public let steps: [Step]
  /// Bytes of the one block that holds all values and scratch of a run.
  public let arenaBytes: Int
  /// Bytes of weights in the kernels' own layouts, over all plans of the model.
  public let packedBytes: Int
  /// Nodes whose plan waits for what a run finds out.
  public let waitingNodes: Int
}

extension Session {
  /// Plans a run for inputs of the given shapes, without running it.
  ///
  /// - Parameter shapes: one for each input of the model; nil for containers and for inputs left to their default.
  public func plan(shapes: [[Int]?]) throws -> PlanSummary {
    let starts = zip(model.inputs, try checker.checked(shapes: shapes)).map { port, shape in
      StartValue(pointer: nil, type: port.type, shape: shape)
    }
    let prepared = try executor.prepare(starts)
    let stage = prepared.stage
    let graph = model.program.graph
    let steps = stage.steps.map { planned in
      let outputs = stage.operands[(planned.firstOperand + planned.inputCount)...].prefix(planned.outputCount)
      return PlanSummary.Step(
        node: graph.label(of: planned.node), operatorName: graph[planned.node].op.description,
        kernel: planned.step.kernel, flops: planned.step.flops, bytes: planned.bytes,
        workspace: planned.step.workspace, outputs: outputs.filter { $0.location != nil }.map(\.shape))
    }
    return PlanSummary(
      steps: steps, arenaBytes: stage.arenaBytes, packedBytes: model.weights.byteCount,
      waitingNodes: stage.remaining.count)
  }
}
