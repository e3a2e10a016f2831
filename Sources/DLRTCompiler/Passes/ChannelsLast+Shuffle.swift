import DLRTGraph
import DLRTOperators

/// Channels in groups, as in ShuffleNet (arXiv 1707.01083).
extension ChannelsLastWalk {
  /// `Reshape [N, C, …] → [N, g, C / g, …]`, `Transpose` of the two, `Reshape → [N, C, …]`; false for any other node.
  mutating func shuffle(_ id: NodeID, _ node: Node) throws -> Bool {
    guard node.op.name == "Reshape", let twin = twin(node.input(0)), let input = matcher.shape(node.input(0)),
      let parted = node.output(0), let shape = matcher.shape(parted), shape.rank == input.rank + 1,
      let groups = shape[1].value, let members = shape[2].value, input[1] == .known(groups) * .known(members),
      (2..<input.rank).allSatisfy({ input[$0].provablyEquals(shape[$0 + 1]) }), input[0].provablyEquals(shape[0]),
      let second = matcher.onlyReader(of: parted), let turned = turned(second, shape.rank),
      let third = matcher.onlyReader(of: turned), matcher[third].op == OperatorName("Reshape"),
      matcher[third].input(0) == turned, let output = matcher.shape(matcher[third].output(0)),
      input.provablyEquals(output), input.dims.allSatisfy({ $0 != 0 })
    else { return false }
    let kept = [Int](repeating: 0, count: input.rank - 1)
    let split = addNode("Reshape", [twin, constant(try Tensor(int64: kept + [groups, members]))])
    let order = Array(0..<input.rank - 1) + [input.rank, input.rank - 1]
    let swapped = addNode("Transpose", [split], ["perm": .ints(order)])
    absorb(id)
    absorb(second)
    var joined = matcher[third]
    joined.inputs = [swapped, constant(try Tensor(int64: kept + [-1]))]
    joined.attributes = [:]
    convert(third, joined)
    return true
  }

  /// The output of a Transpose that exchanges axes 1 and 2.
  private func turned(_ id: NodeID, _ rank: Int) -> ValueID? {
    let node = matcher[id]
    guard node.op == OperatorName("Transpose"), node.ints("perm") == [0, 2, 1] + Array(3..<rank) else { return nil }
    return node.output(0)
  }
}
