/// Convolutions and pooling over a grid.
let convolutionOperators: [any Operator.Type] = []
