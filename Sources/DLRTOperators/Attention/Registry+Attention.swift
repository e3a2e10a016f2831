/// Attention and what goes with it.
let attentionOperators: [any Operator.Type] = []
