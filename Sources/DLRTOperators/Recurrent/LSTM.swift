import DLRTGraph

/// ONNX LSTM (1–22): long short-term memory over sequences X [steps, batch, input], in one or both directions, with
/// optional lengths, initial states and peepholes; gates in the order input, output, forget, cell.
/// Y [steps, directions, batch, hidden], Y_h and Y_c [directions, batch, hidden]; `layout` 1 puts the batch first.
package struct LSTM: Operator {
  package static let schema = OperatorSchema(
    "LSTM", versions: [1, 7, 14, 22],
    inputs: [
      ("X", "T"), ("W", "T"), ("R", "T"), ("B?", "T"), ("sequence_lens?", "T1"), ("initial_h?", "T"),
      ("initial_c?", "T"), ("P?", "T"),
    ],
    outputs: [("Y?", "T"), ("Y_h?", "T"), ("Y_c?", "T")], types: ["T": .floats, "T1": .int32])
  package static let promotedTypes = TypeSet.halfFloats
  private let options: RecurrentOptions
  private let couplesInputAndForget: Bool

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    RecurrentOptions.modernize(&node, version: version)
  }

  package init(_ attributes: inout AttributeReader) throws {
    options = try RecurrentOptions(&attributes, gates: 4, defaults: [.sigmoid, .tanh, .tanh])
    couplesInputAndForget = try attributes.flag("input_forget")
  }

  package func infer(_ inference: inout Inference) throws { try options.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step {
    let cell = LSTMCell(couplesInputAndForget: couplesInputAndForget)
    return try RecurrentLoop(options, cell, planning).step(planning.type(0), "lstm")
  }
}

private struct LSTMCell: RecurrentCell {
  let couplesInputAndForget: Bool
  var scratchRows: Int { 5 }

  func keepsRecurrentBias(gate: Int) -> Bool { false }

  func step<T: RealElement>(_ s: RecurrentState<T>) {
    let n = s.hidden
    let input = s.scratch
    let output = input + n
    let forget = output + n
    let candidate = forget + n
    let bounded = candidate + n
    let (f, g, h) = (s.activations[0], s.activations[1], s.activations[2])
    input.update(from: s.x, count: 4 &* n)
    s.accumulate(s.h, 0..<4 &* n, of: 4 &* n, into: input)
    if let p = s.peepholes {
      for index in 0..<n {
        input[index] += p[index] * s.c[index]
        forget[index] += p[2 &* n &+ index] * s.c[index]
      }
    }
    f.apply(input, n, clip: s.clip)
    if couplesInputAndForget {
      for index in 0..<n { forget[index] = 1 - input[index] }
    } else {
      f.apply(forget, n, clip: s.clip)
    }
    g.apply(candidate, n, clip: s.clip)
    for index in 0..<n { s.c[index] = forget[index] * s.c[index] + input[index] * candidate[index] }
    if let p = s.peepholes {
      for index in 0..<n { output[index] += p[n &+ index] * s.c[index] }
    }
    f.apply(output, n, clip: s.clip)
    bounded.update(from: s.c, count: n)
    h.apply(bounded, n, clip: s.clip)
    for index in 0..<n { s.h[index] = output[index] * bounded[index] }
  }
}
