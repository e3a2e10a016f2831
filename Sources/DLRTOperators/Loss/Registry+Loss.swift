/// Losses.
let lossOperators: [any Operator.Type] = []
