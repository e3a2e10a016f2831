/// Operators on strings.
let textOperators: [any Operator.Type] = []
