/// Control flow: operators with bodies.
let controlOperators: [any Operator.Type] = [
  BatchScan.self,
  If.self,
  Loop.self,
  Scan.self,
  SequenceMap.self,
]
