/// Sequences and optionals.
let sequenceOperators: [any Operator.Type] = [
  ConcatFromSequence.self,
  OptionalGetElement.self,
  OptionalHasElement.self,
  OptionalOperator.self,
  SequenceAt.self,
  SequenceConstruct.self,
  SequenceEmpty.self,
  SequenceErase.self,
  SequenceInsert.self,
  SequenceLength.self,
  SplitToSequence.self,
]
