/// Sequences and optionals.
let sequenceOperators: OperatorFamily = [
  "ConcatFromSequence": ConcatFromSequence.self,
  "OptionalGetElement": OptionalGetElement.self,
  "OptionalHasElement": OptionalHasElement.self,
  "Optional": OptionalOperator.self,
  "SequenceAt": SequenceAt.self,
  "SequenceConstruct": SequenceConstruct.self,
  "SequenceEmpty": SequenceEmpty.self,
  "SequenceErase": SequenceErase.self,
  "SequenceInsert": SequenceInsert.self,
  "SequenceLength": SequenceLength.self,
  "SplitToSequence": SplitToSequence.self,
]
