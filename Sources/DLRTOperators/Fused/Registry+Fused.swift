/// Operators of dlrt's own, which only passes make.
let fusedOperators: [any Operator.Type] = [
  FusedElementwise.self
]
