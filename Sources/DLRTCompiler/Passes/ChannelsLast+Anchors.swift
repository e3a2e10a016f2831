import DLRTGraph
import DLRTOperators

/// The operators that ask for channels last.
extension ChannelsLastWalk {
  /// Converts a convolution; false for any other node.
  mutating func anchor(_ id: NodeID, _ node: Node) throws -> Bool {
    switch node.op.name {
    case "Conv": return convolution(id, node, w: 1)
    case "QLinearConv": return convolution(id, node, w: 3)
    case "ConvTranspose": return transposedConvolution(id, node)
    default: return false
    }
  }

  private static let types: TypeSet = [.halfFloats, .float32]

  /// Images with at most so many channels are copied by their convolution, which then turns them too.
  private static let fewChannels = 4

  private mutating func convolution(_ id: NodeID, _ node: Node, w: Int) -> Bool {
    guard let x = node.input(0), let type = matcher.type(x), w == 3 || Self.types.contains(type),
      let weights = matcher.constant(node.input(w)), (3...5).contains(weights.rank), rank(x) == weights.rank
    else { return false }
    var made = node
    made.op = OperatorName("\(node.op.name)NHWC", domain: OperatorName.internalDomain)
    if twin(x) == nil, weights.rank <= 4, weights.shape[1] <= Self.fewChannels, node.int("group", 1) == 1 {
      made.attributes["channels_first"] = .int(1)
    } else {
      made.inputs[0] = transposed(x)
    }
    convert(id, made)
    return true
  }

  /// Each remainder by the strides is a convolution of its own, of which there should not be too many; and groups should
  /// have channels enough for a matrix product.
  private mutating func transposedConvolution(_ id: NodeID, _ node: Node) -> Bool {
    guard let x = node.input(0), let type = matcher.type(x), Self.types.contains(type),
      let weights = matcher.constant(node.input(1)), (3...5).contains(weights.rank), rank(x) == weights.rank,
      node.int("group", 1) == 1 || weights.shape[1] >= 8
    else { return false }
    if let strides = node.ints("strides"), strides.contains(where: { $0 > 32 }) { return false }
    var made = node
    made.op = OperatorName("ConvTransposeNHWC", domain: OperatorName.internalDomain)
    made.inputs[0] = transposed(x)
    convert(id, made)
    return true
  }
}
