/// Operators that draw numbers.
let randomOperators: [any Operator.Type] = []
