/// Operators that compute each element on its own.
let elementwiseOperators: [any Operator.Type] = []
