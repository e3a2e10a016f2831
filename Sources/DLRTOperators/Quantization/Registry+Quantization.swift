/// Operators between real and quantised numbers.
let quantizationOperators: [any Operator.Type] = [
  DequantizeLinear.self, DynamicQuantizeLinear.self, QuantizeLinear.self,
]
