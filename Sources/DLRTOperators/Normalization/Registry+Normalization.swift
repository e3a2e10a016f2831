/// Normalisations and the softmax family.
let normalizationOperators: [any Operator.Type] = []
