/// Operators that reduce over axes.
let reductionOperators: [any Operator.Type] = [
  ArgMax.self,
  ArgMin.self,
  ReduceL1.self,
  ReduceL2.self,
  ReduceLogSum.self,
  ReduceLogSumExp.self,
  ReduceMax.self,
  ReduceMean.self,
  ReduceMin.self,
  ReduceProd.self,
  ReduceSum.self,
  ReduceSumSquare.self,
]
