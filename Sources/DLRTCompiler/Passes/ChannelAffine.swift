import DLRTGraph
import DLRTOperators

/// A node that computes x · scale + shift, with a constant for each channel of `[N, C, …]`.
struct ChannelAffine {
  let input: ValueID
  private(set) var scale: [Float]
  private(set) var shift: [Float]

  init?(_ id: NodeID, _ matcher: Matcher) throws {
    let node = matcher[id]
    guard node.op.domain.isEmpty, node.outputs.dropFirst().allSatisfy({ $0 == nil }), let first = node.input(0) else {
      return nil
    }
    switch node.op.name {
    case "BatchNormalization":
      let parameters = (1...4).compactMap { matcher.constant(node.input($0)) }
      guard let op = matcher.program.op(id) as? BatchNormalization, !op.isTraining, parameters.count == 4,
        parameters.allSatisfy({ $0.type == .float32 })
      else { return nil }
      let values = parameters.map { $0.elements(Float.self) }
      // Nobody has compared them where the input's channels are unknown.
      guard values.allSatisfy({ $0.count == values[0].count }) else { return nil }
      input = first
      scale = []
      shift = []
      for channel in values[0].indices {
        let factor = Double(values[0][channel]) / (Double(values[3][channel]) + Double(op.epsilon)).squareRoot()
        scale.append(Float(factor))
        shift.append(Float(Double(values[1][channel]) - Double(values[2][channel]) * factor))
      }
    case "Mul", "Add", "Div", "Sub":
      guard let second = node.input(1) else { return nil }
      let isReversed = matcher.constant(first) != nil
      // Only a sum or product may have its constant first.
      if isReversed, node.op.name == "Div" || node.op.name == "Sub" { return nil }
      input = isReversed ? second : first
      guard let values = Self.channels(isReversed ? first : second, of: input, matcher) else { return nil }
      let (ones, zeros) = (values.map { _ in Float(1) }, values.map { _ in Float(0) })
      switch node.op.name {
      case "Mul": (scale, shift) = (values, zeros)
      case "Div": (scale, shift) = (values.map { 1 / $0 }, zeros)
      case "Add": (scale, shift) = (ones, values)
      default: (scale, shift) = (ones, values.map { -$0 })
      }
    default: return nil
    }
    // An infinite factor would make NaN of weights that are zero.
    guard scale.allSatisfy(\.isFinite) else { return nil }
  }

  /// A constant that broadcasts along channels only, as one number for each channel of `input`.
  private static func channels(_ value: ValueID, of input: ValueID, _ matcher: Matcher) -> [Float]? {
    guard let constant = matcher.constant(value), constant.type == .float32, let shape = matcher.shape(input),
      shape.rank >= 3, constant.rank <= shape.rank, let channels = shape[1].value
    else { return nil }
    if constant.count == 1 { return Array(repeating: constant.elements(Float.self)[0], count: channels) }
    guard constant.count == channels, constant.rank >= shape.rank - 1,
      constant.shape[constant.rank - (shape.rank - 1)] == channels
    else { return nil }
    return constant.elements(Float.self)
  }
}
