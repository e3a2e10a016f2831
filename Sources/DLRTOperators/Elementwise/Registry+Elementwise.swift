/// Operators that compute each element on its own, or from those before it on an axis.
let elementwiseOperators: [any Operator.Type] = [
  Abs.self, Acos.self, Acosh.self, Add.self, And.self, Asin.self, Asinh.self, Atan.self, Atanh.self, BitCast.self,
  BitShift.self, BitwiseAnd.self, BitwiseNot.self, BitwiseOr.self, BitwiseXor.self, Cast.self, CastLike.self, Ceil.self,
  Celu.self, Clip.self, Cos.self, Cosh.self, CumProd.self, CumSum.self, Div.self, Elu.self, Equal.self, Erf.self,
  Exp.self, Floor.self, Gelu.self, Greater.self, GreaterOrEqual.self, HardSigmoid.self, HardSwish.self, IsInf.self,
  IsNaN.self, LeakyRelu.self, Less.self, LessOrEqual.self, Log.self, Max.self, Mean.self, Min.self, Mish.self,
  Mod.self, Mul.self, Neg.self, Not.self, Or.self, PRelu.self, Pow.self, Reciprocal.self, Relu.self, Round.self,
  Selu.self, Shrink.self, Sigmoid.self, Sign.self, Sin.self, Sinh.self, Softplus.self, Softsign.self, Sqrt.self,
  Sub.self, Sum.self, SwiGLU.self, Swish.self, Tan.self, Tanh.self, ThresholdedRelu.self, Where.self, Xor.self,
]
