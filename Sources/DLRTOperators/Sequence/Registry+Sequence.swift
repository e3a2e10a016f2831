/// Sequences and optionals.
let sequenceOperators: [any Operator.Type] = []
