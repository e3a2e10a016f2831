import DLRTGraph
import DLRTOperators

/// What is done to the channels of several convolutions once a Concat has put them side by side, is done to each before:
/// factors and summands, which then go into the weights, or an activation, which the convolution can apply.
struct SinkThroughConcat: Pass {
  let name = "sink-through-concat"
  /// A normalisation and an activation often follow each other.
  let repeats = true

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order where matcher[id].op == OperatorName("Concat") {
      guard let output = matcher[id].output(0), matcher.type(output) == .float32,
        let reader = matcher.onlyReader(of: output), let result = matcher[reader].output(0),
        let parts = try parts(matcher[id], output, matcher)
      else { continue }
      var concat = matcher[id]
      if matcher.unaryKernel(reader) != nil, matcher[reader].input(0) == output {
        concat.inputs = parts.map { part in
          var inputs = matcher[reader].inputs
          inputs[0] = part.value
          return patch.node(
            matcher[reader].op, name: matcher[reader].name, attributes: matcher[reader].attributes, inputs: inputs,
            output: part.description)
        }
      } else if let affine = try ChannelAffine(reader, matcher), affine.input == output,
        affine.scale.count == parts.last?.channels.upperBound
      {
        concat.inputs = try parts.map { try scaled($0, affine, matcher[reader].name, &patch) }
      } else {
        continue
      }
      concat.outputs = [result]
      patch.update(id, concat)
      patch.remove(reader)
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
  private func parts(_ concat: Node, _ output: ValueID, _ matcher: Matcher) throws -> [Part]? {
    guard let rank = matcher.shape(output)?.rank, rank >= 3, [1, 1 - rank].contains(concat.int("axis", 0)) else {
      return nil
    }
    var parts: [Part] = []
    for value in concat.inputs {
      guard let value, let shape = matcher.shape(value), shape.rank == rank, let channels = shape[1].value,
        try comesFromConvolution(value, matcher)
      else { return nil }
      let first = parts.last?.channels.upperBound ?? 0
      parts.append(
        Part(
          value: value, channels: first..<first + channels,
          description: Graph.Value(name: "", type: .tensor(.float32), shape: shape)))
    }
    return parts
  }

  /// Whether only factors and summands of its channels lie between.
  private func comesFromConvolution(_ value: ValueID, _ matcher: Matcher) throws -> Bool {
    var value = value
    while matcher.useCount(value) == 1, let id = matcher.producer(value) {
      if ConstantConvolution(id, matcher) != nil { return true }
      guard let affine = try ChannelAffine(id, matcher) else { return false }
      value = affine.input
    }
    return false
  }

  private func scaled(
    _ part: Part, _ affine: ChannelAffine, _ name: String, _ patch: inout GraphPatch
  ) throws -> ValueID {
    let shape = [part.channels.count] + Array(repeating: 1, count: (part.description.shape?.rank ?? 2) - 2)
    let factors = patch.constant(try Tensor(Array(affine.scale[part.channels]), shape: shape))
    let summands = patch.constant(try Tensor(Array(affine.shift[part.channels]), shape: shape))
    let product = patch.node(
      OperatorName("Mul"), name: name, inputs: [part.value, factors], output: part.description)
    return patch.node(OperatorName("Add"), name: name, inputs: [product, summands], output: part.description)
  }
}
