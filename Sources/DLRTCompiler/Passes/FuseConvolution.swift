import CKernelSupport
import DLRTGraph
import DLRTOperators

/// Gives a convolution the activation and the residual sum that follow it, which it then applies to each tile of its
/// result while that is in the cache. So do normalisations of images.
struct FuseConvolution: Pass {
  let name = "fuse-convolution"
  /// Each fusion changes what the next one sees; a chain is two or three nodes long.
  let repeats = true

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    var touched: Set<NodeID> = []
    for id in program.graph.order {
      guard program.graph[id].outputs.count == 1, let output = program.graph[id].output(0),
        let reader = matcher.onlyReader(of: output),
        !touched.contains(id), !touched.contains(reader),
        let fused = fused(id, reader, output, matcher), let result = program.graph[reader].output(0)
      else { continue }
      var node = fused
      node.outputs = [result]
      touched.formUnion([id, reader])
      // The reader's place, since by then every input exists.
      patch.update(reader, node)
      patch.remove(id)
    }
    return patch
  }

  /// The convolution with what its only reader does, if it can do that.
  private func fused(_ id: NodeID, _ reader: NodeID, _ output: ValueID, _ matcher: Matcher) -> Node? {
    switch matcher.program.op(id) {
    case let op as ConvNHWC:
      let isActivated = !op.activation.isIdentity || op.isAddendLast
      return (isActivated ? nil : activated(id, reader, matcher)) ?? addend(op, id, reader, output, matcher)
    case let op as NormalizationNHWC: return op.activation.isIdentity ? activated(id, reader, matcher) : nil
    case let op as ConvTransposeNHWC: return op.activation.isIdentity ? activated(id, reader, matcher) : nil
    default: return nil
    }
  }

  private func activated(_ id: NodeID, _ reader: NodeID, _ matcher: Matcher) -> Node? {
    guard matcher[reader].outputs.count == 1, let kernel = matcher.unaryKernel(reader) else { return nil }
    var node = matcher[id]
    node.attributes.merge(kernel.attributes) { $1 }
    return node
  }

  private func addend(
    _ op: ConvNHWC, _ id: NodeID, _ reader: NodeID, _ output: ValueID, _ matcher: Matcher
  ) -> Node? {
    var node = matcher[id]
    let sum = matcher[reader]
    guard sum.op == OperatorName("Add"), sum.attributes.isEmpty, node.input(3) == nil, !isDepthwise(op, node, matcher),
      let (_, other) = matcher.split(sum, { $0 == output }), other != output, matcher.haveEqualShapes(other, output)
    else { return nil }
    while node.inputs.count < 4 { node.inputs.append(nil) }
    node.inputs[3] = other
    if !op.activation.isIdentity { node.attributes["addend_last"] = .int(1) }
    return node
  }

  /// The depthwise kernel takes no addend.
  private func isDepthwise(_ op: ConvNHWC, _ node: Node, _ matcher: Matcher) -> Bool {
    op.attributes.group > 1 && matcher.shape(node.input(1))?[1] == 1
  }
}
