import DLRTGraph
import DLRTOperators

/// Gives a 1 × 1 convolution the factors by which each channel of its input is multiplied before it, as in
/// squeeze-and-excitation (arXiv 1709.01507). They then go into the weights, which are fewer than the pixels' channels.
struct FuseChannelScale: Pass {
  let name = "fuse-channel-scale"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      let mul = program.graph[id]
      guard mul.op == OperatorName("Mul"), let product = mul.output(0), let reader = matcher.onlyReader(of: product),
        matcher.isPointwise(reader), program.graph[reader].input(0) == product,
        let weights = matcher.constant(program.graph[reader].input(1)),
        let (image, factors) = matcher.split(mul, { isImage($0, mul, product, matcher) }),
        isWorthwhile(weights, product, matcher)
      else { continue }
      var node = program.graph[reader]
      node.inputs += [ValueID?](repeating: nil, count: 5 - node.inputs.count)
      (node.inputs[0], node.inputs[4]) = (image, factors)
      patch.update(reader, node)
      patch.remove(id)
    }
    return patch
  }

  /// Whether an operand of a Mul is the image, and the other `[N, 1, 1, C]`.
  private func isImage(_ value: ValueID, _ mul: Node, _ product: ValueID, _ matcher: Matcher) -> Bool {
    guard let other = mul.input(mul.input(0) == value ? 1 : 0), other != value,
      matcher.haveEqualShapes(value, product), let image = matcher.shape(product), let factors = matcher.shape(other)
    else { return false }
    return image.rank == 4 && factors.rank == 4 && factors[0].provablyEquals(image[0]) && factors[1] == 1
      && factors[2] == 1 && factors[3].provablyEquals(image[3])
  }

  /// Whether the weights are few beside an image; each image of a batch gets its own.
  private func isWorthwhile(_ weights: Tensor, _ product: ValueID, _ matcher: Matcher) -> Bool {
    guard weights.count > 0, let shape = matcher.shape(product), shape.dims.dropFirst().allSatisfy({ $0.value != nil })
    else { return false }
    return weights.count <= matcher.imageElements(product) / 2
  }
}
