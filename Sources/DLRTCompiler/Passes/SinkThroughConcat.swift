import DLRTGraph
import DLRTOperators

/// What is done to the channels of several convolutions once a Concat has put them side by side, is done to each before:
/// factors and summands, which then go into the weights, and an activation, which the convolution can apply.
struct SinkThroughConcat: Pass {
  let name = "sink-through-concat"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    // The channels of many convolutions may have the same few weights.
    var budget = program.spareBytes
    for id in program.graph.order where matcher[id].op == OperatorName("Concat") {
      guard let output = matcher[id].output(0), matcher.type(output) == .float32,
        let parts = parts(matcher[id], output, matcher), let channels = parts.last?.channels.upperBound
      else { continue }
      var (value, affines, nodes) = (output, [ChannelAffine](), [NodeID]())
      while affines.count < 16, let reader = matcher.onlyReader(of: value), let affine = ChannelAffine(reader, matcher),
        affine.input == value, let result = matcher[reader].output(0)
      {
        affines.insert(affine, at: 0)
        nodes.append(reader)
        value = result
      }
      var activation: Node?
      if let reader = matcher.onlyReader(of: value), matcher.unaryKernel(reader) != nil,
        matcher[reader].input(0) == value, let result = matcher[reader].output(0)
      {
        activation = matcher[reader]
        nodes.append(reader)
        value = result
      }
      if nodes.isEmpty { continue }
      var numbers: (scale: [Float], shift: [Float])?
      if !affines.isEmpty {
        guard channels <= budget / 8, let composed = affines.composed(channels: channels) else { continue }
        numbers = composed
        budget -= channels * 8
      }
      var concat = matcher[id]
      concat.inputs = try parts.map { part in
        let value = try numbers.map { try scaled(part, $0, matcher[nodes[0]].name, &patch) } ?? part.value
        return activation.map { activated(value, part, $0, &patch) } ?? value
      }
      concat.outputs = [value]
      patch.update(id, concat)
      for node in nodes { patch.remove(node) }
    }
    return patch
  }

  private struct Part {
    let value: ValueID
    /// Where they are among all channels.
    let channels: Range<Int>
    /// Of a value that is like it.
    let description: Graph.Value
  }

  /// The inputs of a Concat along the channels, if each comes from a convolution that can take in what follows.
  private func parts(_ concat: Node, _ output: ValueID, _ matcher: Matcher) -> [Part]? {
    guard let rank = matcher.shape(output)?.rank, rank >= 3, [1, 1 - rank].contains(concat.int("axis", 0)) else {
      return nil
    }
    var parts: [Part] = []
    for value in concat.inputs {
      guard let value, let convolution = matcher.ownConvolution(of: matcher.affines(before: value).source),
        let shape = matcher.shape(value), shape.rank == rank, shape[1] == .known(convolution.channels)
      else { return nil }
      let first = parts.last?.channels.upperBound ?? 0
      parts.append(
        Part(
          value: value, channels: first..<first + convolution.channels,
          description: Graph.Value(name: "", type: .tensor(.float32), shape: shape)))
    }
    return parts
  }

  private func scaled(
    _ part: Part, _ numbers: (scale: [Float], shift: [Float]), _ name: String, _ patch: inout GraphPatch
  ) throws -> ValueID {
    let shape = [part.channels.count] + Array(repeating: 1, count: (part.description.shape?.rank ?? 2) - 2)
    var value = part.value
    let (scale, shift) = (Array(numbers.scale[part.channels]), Array(numbers.shift[part.channels]))
    if scale.contains(where: { $0 != 1 }) {
      let factors = patch.constant(try Tensor(scale, shape: shape))
      value = patch.node(OperatorName("Mul"), name: name, inputs: [value, factors], output: part.description)
    }
    if shift.contains(where: { $0 != 0 }) {
      let summands = patch.constant(try Tensor(shift, shape: shape))
      value = patch.node(OperatorName("Add"), name: name, inputs: [value, summands], output: part.description)
    }
    return value
  }

  private func activated(_ value: ValueID, _ part: Part, _ node: Node, _ patch: inout GraphPatch) -> ValueID {
    var inputs = node.inputs
    inputs[0] = value
    return patch.node(node.op, name: node.name, attributes: node.attributes, inputs: inputs, output: part.description)
  }
}
