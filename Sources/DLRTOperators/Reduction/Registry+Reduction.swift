/// Operators that reduce over axes.
let reductionOperators: [any Operator.Type] = []
