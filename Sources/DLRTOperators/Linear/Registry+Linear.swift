/// Matrix products.
let linearOperators: [any Operator.Type] = []
