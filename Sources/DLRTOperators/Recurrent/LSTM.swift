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
  var parts: [Range<Int>] { [0..<4] }
  var scratchRows: Int { 1 }
  var kernel: RecurrentKernel.Cell? { couplesInputAndForget ? nil : .lstm }

  func keepsRecurrentBias(gate: Int) -> Bool { false }

  func step<T: RealElement>(_ s: RecurrentStep<T>, _ accumulate: RecurrentStep<T>.Product) {
    accumulate(0, s.h, s.gates, s.width)
    for sequence in 0..<s.batch where s.isActive(sequence) { update(s, sequence) }
  }

  private func update<T: RealElement>(_ s: RecurrentStep<T>, _ sequence: Int) {
    let n = s.hidden
    let input = s.gates + sequence &* s.width
    let output = input + n
    let forget = output + n
    let candidate = forget + n
    let h = s.h + sequence &* n
    let c = s.c + sequence &* n
    if let p = s.peepholes {
      for index in 0..<n {
        input[index] += p[index] * c[index]
        forget[index] += p[2 &* n &+ index] * c[index]
      }
      s.activate(0, input, n)
    } else {
      // Input and output gate lie side by side.
      s.activate(0, input, 2 &* n)
    }
    if couplesInputAndForget {
      for index in 0..<n { forget[index] = 1 - input[index] }
    } else {
      s.activate(0, forget, n)
    }
    s.activate(1, candidate, n)
    for index in 0..<n { c[index] = forget[index] * c[index] + input[index] * candidate[index] }
    if let p = s.peepholes {
      for index in 0..<n { output[index] += p[n &+ index] * c[index] }
      s.activate(0, output, n)
    }
    let shown = s.scratch + sequence &* n
    shown.update(from: c, count: n)
    s.activations[2].apply(shown, n, clip: nil, s.kernels)
    for index in 0..<n { h[index] = output[index] * shown[index] }
  }
}
