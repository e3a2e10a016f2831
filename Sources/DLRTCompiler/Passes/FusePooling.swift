import DLRTGraph
import DLRTOperators

/// Joins a convolution with the pool that reads it, so that what lies between them need not be read again, or is never in
/// memory as a whole.
///
/// A convolution of few channels whose image is too large to stay in a cache is made and used a few rows at a time. One
/// that runs in tiles of even sides makes the greatest of each 2 × 2 pixels with them, be there other readers or not.
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
    var pooled: Set<NodeID> = []
    for id in program.graph.order {
      guard let pool = program.op(id) as? PoolNHWC, let image = program.graph[id].input(0),
        let source = matcher.producer(image), !pooled.contains(source)
      else { continue }
      if runsByRows(pool, id, image, source, matcher) {
        var node = program.graph[source]
        node.op = OperatorName("PooledConvNHWC", domain: OperatorName.internalDomain)
        for (name, value) in program.graph[id].attributes { node.attributes[PooledConvNHWC.poolPrefix + name] = value }
        node.outputs = program.graph[id].outputs
        patch.update(id, node)
        patch.remove(source)
      } else if runsInTiles(pool, source, matcher, environment) {
        var node = program.graph[source]
        node.outputs += program.graph[id].outputs
        // The convolution's place: others may read its image before the pool does.
        patch.update(source, node)
        patch.remove(id)
      } else {
        continue
      }
      pooled.insert(source)
    }
    return patch
  }

  private func runsByRows(
    _ pool: PoolNHWC, _ id: NodeID, _ image: ValueID, _ source: NodeID, _ matcher: Matcher
  ) -> Bool {
    pool.sharedRows <= Self.mostSharedRows && matcher.onlyReader(of: image) == id && matcher.isStem(source)
      && matcher.imageElements(image) >= Self.leastElements
      && matcher.shape(matcher[id].output(0))?[1].value ?? .max >= Self.leastRows
  }

  private func runsInTiles(
    _ pool: PoolNHWC, _ source: NodeID, _ matcher: Matcher, _ environment: PlanEnvironment
  ) -> Bool {
    let node = matcher[source]
    guard let op = matcher.program.op(source) as? ConvNHWC, node.outputs.count == 1, node.input(4) == nil,
      pool.halves, let weights = matcher.constant(node.input(1)), let input = matcher.shape(node.input(0)),
      input.rank == 4, let height = input[1].value, let width = input[2].value, let channels = input[3].value
    else { return false }
    return op.makesPooled([1, channels, height, width], weights.shape, environment)
  }
}
