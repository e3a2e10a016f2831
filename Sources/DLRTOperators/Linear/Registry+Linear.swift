/// Matrix products.
let linearOperators: OperatorFamily = [
  "Det": Det.self,
  "Einsum": Einsum.self,
  "ai.dlrt::FusedMatMul": FusedMatMul.self,
  "Gemm": Gemm.self,
  "MatMul": MatMul.self,
  "MatMulInteger": MatMulInteger.self,
  "QLinearMatMul": QLinearMatMul.self,
  "ai.dlrt::QLinearProduct": QLinearProduct.self,
]
