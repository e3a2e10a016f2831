/// Control flow: operators with bodies.
let controlOperators: OperatorFamily = [
  "ai.dlrt::BatchScan": BatchScan.self,
  "If": If.self,
  "Loop": Loop.self,
  "Scan": Scan.self,
  "SequenceMap": SequenceMap.self,
]
