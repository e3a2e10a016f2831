import DLRTGraph

/// ONNX GRU (1–22): gated recurrent units over sequences X [steps, batch, input], in one or both directions, with
/// optional lengths and initial state; gates in the order update, reset, hidden.
/// Y [steps, directions, batch, hidden], Y_h [directions, batch, hidden]; `layout` 1 puts the batch first.
package struct GRU: Operator {
  package static let schema = OperatorSchema(
    "GRU", versions: [1, 3, 7, 14, 22],
    inputs: [
      ("X", "T"), ("W", "T"), ("R", "T"), ("B?", "T"), ("sequence_lens?", "T1"), ("initial_h?", "T"),
    ],
    outputs: [("Y?", "T"), ("Y_h?", "T")], types: ["T": .floats, "T1": .int32])
  package static let promotedTypes = TypeSet.halfFloats
  private let options: RecurrentOptions
  private let linearBeforeReset: Bool

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    RecurrentOptions.modernize(&node, version: version)
  }

  package init(_ attributes: inout AttributeReader) throws {
    options = try RecurrentOptions(&attributes, gates: 3, defaults: [.sigmoid, .tanh])
    linearBeforeReset = try attributes.flag("linear_before_reset")
  }

  package func infer(_ inference: inout Inference) throws { try options.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step {
    let cell = GRUCell(linearBeforeReset: linearBeforeReset)
    return try RecurrentLoop(options, cell, planning).step(planning.type(0), "gru")
  }
}

private struct GRUCell: RecurrentCell {
  let linearBeforeReset: Bool
  var scratchRows: Int { 4 }

  func keepsRecurrentBias(gate: Int) -> Bool { linearBeforeReset && gate == 2 }

  func step<T: RealElement>(_ s: RecurrentState<T>) {
    let n = s.hidden
    let update = s.scratch
    let reset = update + n
    let candidate = reset + n
    let recurrent = candidate + n
    update.update(from: s.x, count: 3 &* n)
    s.accumulate(s.h, 0..<2 &* n, of: 3 &* n, into: update)
    s.activations[0].apply(update, 2 &* n, clip: s.clip)
    if linearBeforeReset {
      if let bias = s.recurrentBias {
        recurrent.update(from: bias + 2 &* n, count: n)
      } else {
        recurrent.update(repeating: 0, count: n)
      }
      s.accumulate(s.h, 2 &* n..<3 &* n, of: 3 &* n, into: recurrent)
      for index in 0..<n { candidate[index] += reset[index] * recurrent[index] }
    } else {
      for index in 0..<n { recurrent[index] = reset[index] * s.h[index] }
      s.accumulate(recurrent, 2 &* n..<3 &* n, of: 3 &* n, into: candidate)
    }
    s.activations[1].apply(candidate, n, clip: s.clip)
    for index in 0..<n { s.h[index] = (1 - update[index]) * candidate[index] + update[index] * s.h[index] }
  }
}
