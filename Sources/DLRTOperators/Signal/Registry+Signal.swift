/// Signal processing.
let signalOperators: [any Operator.Type] = []
