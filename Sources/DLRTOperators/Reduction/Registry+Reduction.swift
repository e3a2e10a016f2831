/// Operators that reduce over axes.
let reductionOperators: OperatorFamily = [
  "ArgMax": ArgMax.self,
  "ArgMin": ArgMin.self,
  "ReduceL1": ReduceL1.self,
  "ReduceL2": ReduceL2.self,
  "ReduceLogSum": ReduceLogSum.self,
  "ReduceLogSumExp": ReduceLogSumExp.self,
  "ReduceMax": ReduceMax.self,
  "ReduceMean": ReduceMean.self,
  "ReduceMin": ReduceMin.self,
  "ReduceProd": ReduceProd.self,
  "ReduceSum": ReduceSum.self,
  "ReduceSumSquare": ReduceSumSquare.self,
]
