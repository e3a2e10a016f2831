/// Recurrent networks.
let recurrentOperators: [any Operator.Type] = []
