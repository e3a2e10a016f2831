import DLRTGraph
import DLRTOperators

/// A node that computes x · scale + shift, with a constant for each channel of `[N, C, …]`: BatchNormalization of fixed
/// statistics, and Mul, Div, Add and Sub with constants.
struct ChannelAffine {
  let input: ValueID
  private let rule: Rule

  private enum Rule {
    /// Scale, bias, mean and variance.
    case normalization([Tensor], epsilon: Double)
    /// ONNX's name of the operator, and one number or one for each channel.
    case arithmetic(String, Tensor)
  }

  /// Looks at no numbers, which may be many.
  init?(_ id: NodeID, _ matcher: Matcher) {
    let node = matcher[id]
    guard node.op.domain.isEmpty, node.outputs.dropFirst().allSatisfy({ $0 == nil }), let first = node.input(0) else {
      return nil
    }
    switch node.op.name {
    case "BatchNormalization":
      let parameters = (1...4).compactMap { matcher.constant(node.input($0)) }
      // Nobody has compared them where the input's channels are unknown.
      guard let op = matcher.program.op(id) as? BatchNormalization, !op.isTraining, parameters.count == 4,
        parameters.allSatisfy({ $0.type == .float32 && $0.count == parameters[0].count })
      else { return nil }
      input = first
      rule = .normalization(parameters, epsilon: Double(op.epsilon))
    case "Mul", "Add", "Div", "Sub":
      // Before version 7 an attribute said which axis the second operand begins at.
      guard let second = node.input(1), node.attributes.isEmpty else { return nil }
      let isReversed = matcher.constant(first) != nil
      // Only a sum or product may have its constant first.
      if isReversed, node.op.name == "Div" || node.op.name == "Sub" { return nil }
      input = isReversed ? second : first
      guard let constant = matcher.constant(isReversed ? first : second), constant.type == .float32,
        let rank = matcher.shape(input)?.rank, rank >= 3, constant.rank <= rank, Self.isByChannel(constant, rank)
      else { return nil }
      rule = .arithmetic(node.op.name, constant)
    default: return nil
    }
  }

  private static func isByChannel(_ constant: Tensor, _ rank: Int) -> Bool {
    constant.count == 1 || constant.rank >= rank - 1 && constant.shape[constant.rank - (rank - 1)] == constant.count
  }

  /// How many channels it has numbers for; nil where all have the same.
  var channels: Int? {
    switch rule {
    case .normalization(let parameters, _): parameters[0].count
    case .arithmetic(_, let constant): constant.count == 1 ? nil : constant.count
    }
  }

  /// The constants for so many channels; nil if they are for another number of channels, or infinite: an infinite factor
  /// would make NaN of weights that are zero.
  func numbers(channels: Int) -> (scale: [Float], shift: [Float])? {
    guard self.channels == nil || self.channels == channels else { return nil }
    var (scale, shift) = (Array(repeating: Float(1), count: channels), Array(repeating: Float(0), count: channels))
    switch rule {
    case .normalization(let parameters, let epsilon):
      let values = parameters.map { $0.elements(Float.self) }
      for channel in scale.indices {
        let factor = Double(values[0][channel]) / (Double(values[3][channel]) + epsilon).squareRoot()
        scale[channel] = Float(factor)
        shift[channel] = Float(Double(values[1][channel]) - Double(values[2][channel]) * factor)
      }
    case .arithmetic(let op, let constant):
      let given = constant.elements(Float.self)
      for channel in scale.indices {
        let value = given[given.count == 1 ? 0 : channel]
        switch op {
        case "Mul": scale[channel] = value
        case "Div": scale[channel] = 1 / value
        case "Add": shift[channel] = value
        default: shift[channel] = -value
        }
      }
    }
    return scale.allSatisfy(\.isFinite) ? (scale, shift) : nil
  }
}

extension [ChannelAffine] {
  /// What they do one after the other, the first one last: as of a chain that is followed back from its end.
  func composed(channels: Int) -> (scale: [Float], shift: [Float])? {
    var (scale, shift) = (Array<Float>(repeating: 1, count: channels), Array<Float>(repeating: 0, count: channels))
    for affine in reversed() {
      guard let next = affine.numbers(channels: channels) else { return nil }
      for channel in scale.indices {
        scale[channel] *= next.scale[channel]
        shift[channel] = shift[channel] * next.scale[channel] + next.shift[channel]
      }
    }
    return scale.allSatisfy(\.isFinite) ? (scale, shift) : nil
  }
}

extension Matcher {
  /// Follows a value back over a few nodes that only it comes from and that scale and shift channels.
  func affines(before value: ValueID) -> (source: ValueID, affines: [ChannelAffine]) {
    var (value, affines) = (value, [ChannelAffine]())
    while affines.count < 16, let id = producer(value), let affine = ChannelAffine(id, self), useCount(value) == 1 {
      affines.append(affine)
      value = affine.input
    }
    return (value, affines)
  }
}
