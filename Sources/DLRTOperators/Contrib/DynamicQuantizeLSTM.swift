import DLRTGraph

/// com.microsoft DynamicQuantizeLSTM (1): LSTM whose weights W [directions, input, 4 · hidden] and R are int8 or uint8, with a
/// scale and zero point per direction or per column. Inputs and states stay float32, which is closer to the float
/// model than quantising them at each step.
package struct DynamicQuantizeLSTM: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "DynamicQuantizeLSTM",
    [
      ("X", "T"), ("W", "T2"), ("R", "T2"), ("B?", "T"), ("sequence_lens?", "T1"), ("initial_h?", "T"),
      ("initial_c?", "T"), ("P?", "T"), ("W_scale", "T"), ("W_zero_point", "T2"), ("R_scale", "T"),
      ("R_zero_point", "T2"),
    ],
    [("Y?", "T"), ("Y_h?", "T"), ("Y_c?", "T")],
    ["T": .float32, "T1": .int32, "T2": TypeSet(.int8, .uint8)])

  package static func expand(_ x: inout Expansion) throws {
    let own = x.take([
      "activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "input_forget",
    ])
    let w = try x.recurrentWeights(1, scale: 8)
    let r = try x.recurrentWeights(2, scale: 10)
    x.results([0, 1, 2], "LSTM", [x.optional(0), w, r] + (3..<8).map { x.optional($0) }, own)
  }
}

extension Expansion {
  /// Weights as LSTM has them, [directions, 4 · hidden, columns].
  fileprivate mutating func recurrentWeights(_ index: Int, scale: Int) throws -> ValueID {
    let rows = try ints([0, 1, -1])
    func aligned(_ value: ValueID) -> ValueID { add("Reshape", [value, rows]) }
    let zero = aligned(cast(try input(scale + 1), .float32))
    let numbers = add("Sub", [cast(try input(index), .float32), zero])
    return transpose(add("Mul", [numbers, aligned(try input(scale))]), [0, 2, 1])
  }
}
