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
  var parts: [Range<Int>] { [0..<1] }
  var scratchRows: Int { 0 }
  var kernel: RecurrentKernel.Cell? { nil }

  func keepsRecurrentBias(gate: Int) -> Bool { false }

  func step<T: RealElement>(_ s: RecurrentStep<T>, _ accumulate: RecurrentStep<T>.Product) {
    accumulate(0, s.h, s.gates, s.width)
    for sequence in 0..<s.batch where s.isActive(sequence) {
      let gate = s.gates + sequence &* s.width
      s.activate(0, gate, s.hidden)
      (s.h + sequence &* s.hidden).update(from: gate, count: s.hidden)
    }
  }
}
