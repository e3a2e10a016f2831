/// Operators between real and quantised numbers.
let quantizationOperators: OperatorFamily = [
  "DequantizeLinear": DequantizeLinear.self,
  "DynamicQuantizeLinear": DynamicQuantizeLinear.self,
  "QuantizeLinear": QuantizeLinear.self,
]
