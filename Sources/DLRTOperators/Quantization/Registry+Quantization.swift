/// Operators between real and quantised numbers.
let quantizationOperators: [any Operator.Type] = []
