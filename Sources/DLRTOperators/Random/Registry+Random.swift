/// Operators that draw random numbers.
let randomOperators: [any Operator.Type] = [
  Bernoulli.self, Dropout.self, Multinomial.self, RandomNormal.self, RandomNormalLike.self, RandomUniform.self,
  RandomUniformLike.self,
]
