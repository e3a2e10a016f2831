import DLRTGraph

/// com.microsoft DynamicQuantizeMatMul (1): A · B + bias, with A quantised to uint8 by its own range and B given in int8 or
/// uint8 with one scale, or one per column.
package struct DynamicQuantizeMatMul: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "DynamicQuantizeMatMul", [("A", "T1"), ("B", "T2"), ("b_scale", "T1"), ("b_zero_point?", "T2"), ("bias?", "T1")],
    [("Y", "T1")], ["T1": .float32, "T2": TypeSet(.int8, .uint8)])

  package static func expand(_ x: inout Expansion) throws {
    let a = x.parts(3, "DynamicQuantizeLinear", [try x.input(0)])
    let scales = x.add("Mul", [a[1], try x.input(2)])
    let product = x.integerProduct(a[0], try x.input(1), a[2], x.optional(3), scales)
    x.addBias(x.optional(4), to: product)
  }
}

extension Expansion {
  /// The product of quantised matrices as float32.
  mutating func integerProduct(
    _ a: ValueID, _ b: ValueID, _ aZero: ValueID?, _ bZero: ValueID?, _ scales: ValueID
  ) -> ValueID {
    add("Mul", [cast(add("MatMulInteger", [a, b, aZero, bZero]), .float32), scales])
  }

  /// Makes output 0.
  mutating func addBias(_ bias: ValueID?, to value: ValueID) {
    if let bias { result("Add", [value, bias]) } else { hand(value, to: 0) }
  }
}
