import DLRTGraph
import DLRTOperators

/// Removes nodes that return their input: Identity, a Cast to the type that its input has, and what its operator calls a
/// view of the same shape and type.
package struct EliminateNoOps: Pass {
  package let name = "eliminate-no-ops"

  package init() {}

  package func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    var patch = GraphPatch(program.graph)
    let graph = program.graph
    for id in graph.order {
      let node = graph[id]
      guard let viewed = isCast(node) ? 0 : program.op(id)?.viewedInput, let input = node.input(viewed),
        let output = node.output(0), node.outputs.dropFirst().allSatisfy({ $0 == nil }),
        isSame(program, input, output, node)
      else { continue }
      patch.replace(output, with: input)
      patch.remove(id)
    }
    return patch
  }

  private static let casts = [OperatorName("Cast"), OperatorName("CastLike")]

  private func isCast(_ node: Node) -> Bool { Self.casts.contains(node.op) }

  private func isSame(_ program: Program, _ input: ValueID, _ output: ValueID, _ node: Node) -> Bool {
    if node.op == OperatorName("Identity") { return true }
    guard let from = program.fact(input), let to = program.fact(output), from.type == to.type else { return false }
    if isCast(node) { return true }
    guard let before = from.shape, let after = to.shape else { return false }
    return before.provablyEquals(after)
  }
}
