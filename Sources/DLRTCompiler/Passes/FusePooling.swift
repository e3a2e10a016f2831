import DLRTGraph
import DLRTOperators

/// Joins a convolution of few channels with the pool that alone reads it, where the image between them is too large to
/// stay in a cache: it is then made and used a few rows at a time.
struct FusePooling: Pass {
  let name = "fuse-pooling"

  /// Images below this stay in the second-level cache anyway.
  private static let leastElements = 1 << 17
  /// Threads take rows of the pool, and make those of the convolution again that their first window shares with the one
  /// above: not more than these two, and not for an image of a few rows.
  private static let mostSharedRows = 2
  private static let leastRows = 8

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      guard let pool = program.op(id) as? PoolNHWC, pool.sharedRows <= Self.mostSharedRows,
        let image = program.graph[id].input(0), let source = matcher.producer(image),
        matcher.onlyReader(of: image) == id, matcher.isStem(source),
        matcher.imageElements(image) >= Self.leastElements,
        matcher.shape(program.graph[id].output(0))?[1].value ?? .max >= Self.leastRows
      else { continue }
      var node = program.graph[source]
      node.op = OperatorName("PooledConvNHWC", domain: OperatorName.internalDomain)
      for (name, value) in program.graph[id].attributes { node.attributes[PooledConvNHWC.poolPrefix + name] = value }
      node.outputs = program.graph[id].outputs
      patch.update(id, node)
      patch.remove(source)
    }
    return patch
  }
}
