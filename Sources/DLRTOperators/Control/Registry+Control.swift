/// Control flow: operators with bodies.
let controlOperators: [any Operator.Type] = []
