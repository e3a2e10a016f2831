/// Operators on images and boxes.
let visionOperators: [any Operator.Type] = []
