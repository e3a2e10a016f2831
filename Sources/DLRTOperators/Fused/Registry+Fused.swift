/// Operators of dlrt's own, which only passes make.
let fusedOperators: OperatorFamily = [
  "ai.dlrt::FusedElementwise": FusedElementwise.self
]
