import DLRTCompiler
import DLRTGraph
import DLRTOperators
import DLRTParallel

/// Turns a graph, bodies included, into an optimised program.
struct ModelCompiler: Sendable {
  let optimizes: Bool
  let registry: OperatorRegistry
  let weights: WeightStore
  /// Checks the graph after each pass; for tests.
  let verifies: Bool

  func compile(_ graph: Graph) throws -> Program {
    var program = try Program(graph, registry: registry) { body in
      CompiledSubgraph(try optimized(body))
    }
    try optimize(&program)
    return program
  }

  private func optimized(_ program: Program) throws -> Program {
    var copy = program
    try optimize(&copy)
    return copy
  }

  private func optimize(_ program: inout Program) throws {
    let standard = optimizes ? PassManager.standard : PassManager.none
    let environment = PlanEnvironment(kernels: .active, pool: .serial, weights: weights, seed: 0)
    try PassManager(standard.passes, verifies: verifies).run(on: &program, environment: environment)
    weights.keep(program.graph.values.compactMap(\.constant))
  }
}
