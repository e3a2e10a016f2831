import DLRTGraph
import DLRTOperators

/// Finds GroupNormalization that exporters write as an InstanceNormalization of reshaped channels.
struct RecognizeGroupNormalization: Pass {
  let name = "recognize-group-normalization"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      let node = program.graph[id]
      guard node.op == OperatorName("InstanceNormalization"), let found = Groups(id, node, matcher) else { continue }
      var (result, scale, bias) = (found.result, [Float](), [Float]())
      scale = Array(repeating: 1, count: found.channels)
      bias = Array(repeating: 0, count: found.channels)
      if let (values, product) = factor("Mul", result, found.channels, matcher) {
        (scale, result) = (values, product)
      }
      if let (values, sum) = factor("Add", result, found.channels, matcher) { (bias, result) = (values, sum) }
      var attributes: [String: Attribute] = ["num_groups": .int(found.groups)]
      attributes["epsilon"] = node.attributes["epsilon"]
      let made = patch.node(
        OperatorName("GroupNormalization"), name: node.name, attributes: attributes,
        inputs: [
          found.x, patch.constant(try Tensor(scale, shape: [found.channels])),
          patch.constant(try Tensor(bias, shape: [found.channels])),
        ],
        output: program.described(result))
      patch.replace(result, with: made)
    }
    return patch
  }

  /// `Reshape [N, C, spatial…] → [N, groups, …]`, a plain InstanceNormalization, and `Reshape` back.
  private struct Groups {
    /// More than any network has; the pass writes down numbers for each.
    static let mostChannels = 1 << 20

    let x: ValueID
    let result: ValueID
    let groups: Int
    let channels: Int

    init?(_ id: NodeID, _ node: Node, _ matcher: Matcher) {
      guard let output = node.output(0), matcher.type(output) == .float32, let first = matcher.onlyReader(of: output),
        let scale = matcher.constant(node.input(1)), scale.elements(Float.self).allSatisfy({ $0 == 1 }),
        let bias = matcher.constant(node.input(2)), bias.elements(Float.self).allSatisfy({ $0 == 0 }),
        let parted = matcher.node(node.input(0), "Reshape"), let x = parted.input(0), let input = matcher.shape(x),
        let middle = matcher.shape(output), middle.rank >= 3, input.rank >= 3, middle[0].provablyEquals(input[0]),
        let groups = middle[1].value, let channels = input[1].value, groups > 0, channels % groups == 0,
        channels <= Self.mostChannels,
        matcher[first].op == OperatorName("Reshape"), matcher[first].input(0) == output,
        let result = matcher[first].output(0), matcher.haveEqualShapes(result, x)
      else { return nil }
      self.x = x
      self.result = result
      self.groups = groups
      self.channels = channels
    }
  }

  /// One number for each channel with which the only reader multiplies a value, or which it adds, and its result.
  private func factor(_ op: String, _ value: ValueID, _ channels: Int, _ matcher: Matcher) -> ([Float], ValueID)? {
    guard let id = matcher.onlyReader(of: value), matcher[id].op == OperatorName(op),
      let rank = matcher.shape(value)?.rank, let result = matcher[id].output(0),
      matcher.haveEqualShapes(result, value),
      let (constant, _) = matcher.split(matcher[id], { matcher.constant($0) != nil }),
      let tensor = matcher.constant(constant), tensor.type == .float32, tensor.count == channels,
      tensor.rank >= rank - 1, tensor.shape[tensor.rank - (rank - 1)] == channels
    else { return nil }
    return (tensor.elements(Float.self), result)
  }
}
