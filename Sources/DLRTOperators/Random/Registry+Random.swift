/// Operators that draw random numbers.
let randomOperators: OperatorFamily = [
  "Bernoulli": Bernoulli.self,
  "Dropout": Dropout.self,
  "Multinomial": Multinomial.self,
  "RandomNormal": RandomNormal.self,
  "RandomNormalLike": RandomNormalLike.self,
  "RandomUniform": RandomUniform.self,
  "RandomUniformLike": RandomUniformLike.self,
]
