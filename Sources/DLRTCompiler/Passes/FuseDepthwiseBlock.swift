import DLRTGraph
import DLRTOperators

/// Joins a depthwise convolution with the 1 × 1 convolutions before and after it, or with one of few channels before it,
/// where the image between them is too large to stay in a cache: it is then made and used a few rows at a time.
struct FuseDepthwiseBlock: Pass {
  let name = "fuse-depthwise-block"

  /// Images below this stay in the second-level cache anyway, and whole products are cut better for threads.
  private static let leastElements = 1 << 17

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    var taken: Set<NodeID> = []
    for id in program.graph.order where !taken.contains(id) {
      guard let block = Block(id, matcher, taken) else { continue }
      taken.formUnion(block.members)
      // The last one's place, since by then every input exists.
      patch.update(block.last, block.node)
      for member in block.members where member != block.last { patch.remove(member) }
    }
    return patch
  }

  private struct Block {
    let members: [NodeID]
    let last: NodeID
    let node: Node

    init?(_ id: NodeID, _ matcher: Matcher, _ taken: Set<NodeID>) {
      let depthwise = matcher[id]
      guard let op = matcher.program.op(id) as? ConvNHWC, !op.isInputChannelsFirst, depthwise.input(3) == nil,
        let weights = matcher.shape(depthwise.input(1)), weights.rank == 4, weights[1] == 1, op.attributes.group > 1,
        weights[0] == .known(op.attributes.group), let input = depthwise.input(0), let output = depthwise.output(0)
      else { return nil }
      let expand = matcher.producer(input).flatMap { producer in
        matcher.onlyReader(of: input) == id && !taken.contains(producer)
          && (matcher.isPointwise(producer) && matcher[producer].input(3) == nil || matcher.isStem(producer))
          ? producer : nil
      }
      let project = matcher.onlyReader(of: output).flatMap { reader in
        matcher[reader].input(0) == output && !taken.contains(reader) && matcher.isPointwise(reader)
          ? reader : nil
      }
      let between =
        (expand == nil ? 0 : matcher.imageElements(input)) + (project == nil ? 0 : matcher.imageElements(output))
      guard between >= leastElements else { return nil }
      members = [expand, id, project].compactMap { $0 }
      last = project ?? id
      var node = depthwise
      node.op = OperatorName("DepthwiseBlock", domain: OperatorName.internalDomain)
      var inputs = [input, depthwise.input(1), depthwise.input(2)] + [ValueID?](repeating: nil, count: 5)
      if let expand {
        let source = matcher[expand]
        inputs[0] = source.input(0)
        (inputs[3], inputs[4]) = (source.input(1), source.input(2))
        for (name, value) in source.attributes { node.attributes[DepthwiseBlock.expandPrefix + name] = value }
      }
      if let project, let op = matcher.program.op(project) as? ConvNHWC {
        let target = matcher[project]
        (inputs[5], inputs[6], inputs[7]) = (target.input(1), target.input(2), target.input(3))
        node.attributes.merge(op.activation.attributes(prefix: DepthwiseBlock.projectPrefix)) { $1 }
        if op.isAddendLast { node.attributes["addend_last"] = .int(1) }
        node.outputs = target.outputs
      }
      node.inputs = inputs
      self.node = node
    }
  }
}
