/// Operators that move elements or look at shapes.
let shapeOperators: [any Operator.Type] = [
  Identity.self
]
