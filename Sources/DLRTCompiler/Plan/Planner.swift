import DLRTGraph
import DLRTOperators

/// Makes a stage from a program and what is known of the values it starts with.
///
/// It walks the nodes three times: forward to find concrete shapes and small values, backward to find what is needed,
/// forward again to make steps and place their memory.
package struct Planner {
  /// A value that exists when the stage begins.
  package struct Start: Sendable {
    package let value: ValueID
    package let type: ValueType
    /// Empty for containers.
    package let shape: [Int]
    /// The data, where the stage's shapes depend on them.
    package let constant: Tensor?

    package init(value: ValueID, type: ValueType, shape: [Int], constant: Tensor? = nil) {
      self.value = value
      self.type = type
      self.shape = shape
      self.constant = constant
    }
  }

  let program: Program
  let environment: PlanEnvironment
  /// The most bytes that one stage's arena may take.
  let memoryLimit: Int

  /// Small values from which shapes follow are computed while planning; larger ones are left to the run.
  static let mostEvaluatedBytes = 1 << 16

  package init(program: Program, environment: PlanEnvironment, memoryLimit: Int) {
    self.program = program
    self.environment = environment
    self.memoryLimit = memoryLimit
  }

  /// Plans the given nodes as far as shapes are known.
  ///
  /// - Parameters:
  ///   - nodes: what is left to run, in order.
  ///   - pendingOutputs: the model outputs that are still to be delivered.
  package func plan(_ nodes: [NodeID], starts: [Start], pendingOutputs: [Int]) throws -> Stage {
    var facts = PlanFacts(program: program, environment: environment, memoryLimit: memoryLimit)
    for start in starts { facts.begin(start) }
    try facts.infer(nodes)
    let builder = StageBuilder(
      nodes, program: program, environment: environment, facts: facts, pendingOutputs: pendingOutputs)
    return try builder.build(starts: starts, memoryLimit: memoryLimit)
  }
}
