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
  var parts: [Range<Int>] { [0..<2, 2..<3] }
  var scratchRows: Int { 1 }
  var kernel: RecurrentKernel.Cell? { linearBeforeReset ? .gru : nil }

  func keepsRecurrentBias(gate: Int) -> Bool { linearBeforeReset && gate == 2 }

  func step<T: RealElement>(_ s: RecurrentStep<T>, _ accumulate: RecurrentStep<T>.Product) {
    let n = s.hidden
    accumulate(0, s.h, s.gates, s.width)
    for sequence in 0..<s.batch {
      let recurrent = s.scratch + sequence &* n
      let update = s.gates + sequence &* s.width
      s.activate(0, update, 2 &* n)
      if !linearBeforeReset {
        let reset = update + n
        let h = s.h + sequence &* n
        for index in 0..<n { recurrent[index] = reset[index] * h[index] }
      } else if let bias = s.recurrentBias {
        recurrent.update(from: bias + 2 &* n, count: n)
      } else {
        recurrent.update(repeating: 0, count: n)
      }
    }
    if linearBeforeReset {
      accumulate(1, s.h, s.scratch, n)
    } else {
      accumulate(1, s.scratch, s.gates + 2 &* n, s.width)
    }
    for sequence in 0..<s.batch where s.isActive(sequence) {
      let update = s.gates + sequence &* s.width
      let reset = update + n
      let candidate = reset + n
      let h = s.h + sequence &* n
      if linearBeforeReset {
        let recurrent = s.scratch + sequence &* n
        for index in 0..<n { candidate[index] += reset[index] * recurrent[index] }
      }
      s.activate(1, candidate, n)
      for index in 0..<n { h[index] = (1 - update[index]) * candidate[index] + update[index] * h[index] }
    }
  }
}
