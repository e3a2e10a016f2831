import DLRTGraph

/// ONNX RNN (1–22): a simple recurrent network over sequences X [steps, batch, input], in one or both directions, with
/// optional lengths and initial state.
/// Y [steps, directions, batch, hidden], Y_h [directions, batch, hidden]; `layout` 1 puts the batch first.
package struct RNN: Operator {
  package static let schema = OperatorSchema(
    "RNN", versions: [1, 7, 14, 22],
    inputs: [
      ("X", "T"), ("W", "T"), ("R", "T"), ("B?", "T"), ("sequence_lens?", "T1"), ("initial_h?", "T"),
    ],
    outputs: [("Y?", "T"), ("Y_h?", "T")], types: ["T": .floats, "T1": .int32])
  package static let promotedTypes = TypeSet.halfFloats
  private let options: RecurrentOptions

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    RecurrentOptions.modernize(&node, version: version)
  }

  package init(_ attributes: inout AttributeReader) throws {
    options = try RecurrentOptions(&attributes, gates: 1, defaults: [.tanh])
  }

  package func infer(_ inference: inout Inference) throws { try options.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step {
    try RecurrentLoop(options, RNNCell(), planning).step(planning.type(0), "rnn")
  }
}

private struct RNNCell: RecurrentCell {
  var scratchRows: Int { 1 }

  func keepsRecurrentBias(gate: Int) -> Bool { false }

  func step<T: RealElement>(_ s: RecurrentState<T>) {
    s.scratch.update(from: s.x, count: s.hidden)
    s.accumulate(s.h, 0..<s.hidden, of: s.hidden, into: s.scratch)
    s.activations[0].apply(s.scratch, s.hidden, clip: s.clip)
    s.h.update(from: s.scratch, count: s.hidden)
  }
}
