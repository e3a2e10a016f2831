import DLRTCompiler
import DLRTGraph
import DLRTOperators

/// A control-flow body: compiled once with the model, run by an executor of the session that runs the model.
final class CompiledSubgraph: Subgraph {
  let program: Program

  init(_ program: Program) {
    self.program = program
    isDeterministic = program.randomValues().isEmpty
  }

  var inputCount: Int { program.graph.inputs.count }
  var outputCount: Int { program.graph.outputs.count }
  let isDeterministic: Bool

  func infer(_ inputs: [Fact?]) throws -> [Fact] { try program.outputFacts(for: inputs) }

  func run(_ inputs: [Value], in host: any RunHost) throws -> [Value] {
    guard let frame = host as? StageFrame else {
      throw DLRTError(.internalError, "a body runs outside of a model's run")
    }
    let executor = try frame.core.executor(for: self)
    return try executor.run(inputs, control: frame.control, depth: frame.depth + 1)
  }
}
