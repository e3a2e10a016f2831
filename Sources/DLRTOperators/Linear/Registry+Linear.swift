/// Matrix products.
let linearOperators: [any Operator.Type] = [
  Det.self,
  Einsum.self,
  FusedMatMul.self,
  Gemm.self,
  MatMul.self,
  MatMulInteger.self,
  QLinearMatMul.self,
]
