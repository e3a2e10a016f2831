import DLRTGraph
import DLRTOperators

/// A Conv or ConvTranspose whose weights and bias are constants.
struct ConstantConvolution {
  let id: NodeID
  let node: Node
  let isTransposed: Bool
  let groups: Int
  /// Not empty, and float32.
  let weights: Tensor
  let bias: Tensor?
  /// Of the output; the weights have at least as many elements.
  let channels: Int

  init?(_ id: NodeID, _ matcher: Matcher) {
    let node = matcher[id]
    isTransposed = node.op == OperatorName("ConvTranspose")
    guard isTransposed || node.op == OperatorName("Conv"), let weights = matcher.constant(node.input(1)),
      weights.type == .float32, weights.rank >= 3, weights.count > 0,
      case let groups = node.int("group", 1), groups > 0, weights.shape[0] % groups == 0
    else { return nil }
    channels = isTransposed ? weights.shape[1] * groups : weights.shape[0]
    bias = matcher.constant(node.input(2))
    guard node.input(2) == nil || bias?.count == channels && bias?.type == .float32 else { return nil }
    (self.id, self.node, self.groups, self.weights) = (id, node, groups, weights)
  }
}

extension Matcher {
  /// The convolution that makes a value for nobody else.
  func ownConvolution(of value: ValueID) -> ConstantConvolution? {
    guard useCount(value) == 1, let id = producer(value) else { return nil }
    return ConstantConvolution(id, self)
  }
}
