import DLRTGraph

extension OperatorSchema {
  /// A function of one quantised operand.
  static func quantizedUnary(_ name: String, _ x: String = "X", _ y: String = "Y") -> OperatorSchema {
    microsoft(
      name, [(x, "T"), ("\(x)_scale", "S"), ("\(x)_zero_point?", "T"), ("\(y)_scale", "S"), ("\(y)_zero_point?", "T")],
      [(y, "T")], ["T": TypeSet(.int8, .uint8), "S": .float32])
  }
}

extension Expansion {
  /// Output 0 is `body` of the dequantised input, quantised again. Inputs: x, its scale and zero point, then the result's.
  mutating func quantized(_ body: (inout Expansion, ValueID) throws -> ValueID) throws {
    let value = dequantize(try input(0), try input(1), optional(2))
    let made = try body(&self, value)
    try quantize(made, try input(3), optional(4), like: try input(0))
  }

  /// `body` for images whose channels come last, of a rank that the attributes or the file tell.
  mutating func channelsFirst(
    _ value: ValueID, _ isLast: Bool, rank: Int, _ body: (inout Expansion, ValueID) throws -> ValueID
  ) rethrows -> ValueID {
    guard isLast, rank > 2 else { return try body(&self, value) }
    let made = try body(&self, transpose(value, [0, rank - 1] + Array(1..<(rank - 1))))
    return transpose(made, [0] + Array(2..<rank) + [1])
  }
}
