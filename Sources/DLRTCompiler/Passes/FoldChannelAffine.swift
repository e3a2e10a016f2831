import DLRTGraph
import DLRTOperators

/// Takes what scales and shifts each channel into the weights of the convolution before it: BatchNormalization of fixed
/// statistics, and Mul, Div, Add and Sub with constants. Other such BatchNormalizations become a Mul and an Add.
struct FoldChannelAffine: Pass {
  let name = "fold-channel-affine"
  /// A convolution takes one node a turn, since the next one needs the new weights.
  let repeats = true

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    var changed: Set<NodeID> = []
    for id in program.graph.order {
      guard let output = program.graph[id].output(0), matcher.type(output) == .float32,
        let affine = try ChannelAffine(id, matcher)
      else { continue }
      if let convolution = matcher.ownConvolution(of: affine.input), convolution.channels == affine.scale.count,
        changed.insert(convolution.id).inserted
      {
        try fold(affine, into: convolution, &patch)
        patch.replace(output, with: affine.input)
        patch.remove(id)
      } else if program.graph[id].op == OperatorName("BatchNormalization") {
        try rewrite(id, affine, matcher, &patch)
      }
    }
    return patch
  }

  private func fold(
    _ affine: ChannelAffine, into convolution: ConstantConvolution, _ patch: inout GraphPatch
  ) throws {
    let (weights, channels) = (convolution.weights, convolution.channels)
    // [M, C / group, kernel…], or of ConvTranspose [C, M / group, kernel…], where the group of an input channel says
    // which outputs it feeds.
    var blocks = 1
    var channelsPerBlock = channels
    var blocksPerGroup = 1
    if convolution.isTransposed {
      blocks = weights.shape[0]
      channelsPerBlock = channels / convolution.groups
      blocksPerGroup = blocks / convolution.groups
    }
    let scaled = try Tensor(uninitialized: weights.shape, type: .float32, lasts: true)
    let run = weights.count / (blocks * channelsPerBlock)
    weights.withUnsafeBytes { bytes in
      guard let source = bytes.baseAddress else { return }
      weights.storage.preparePages(bytes)
      defer { weights.storage.releasePages(bytes) }
      let target = scaled.mutablePointer.assumingMemoryBound(to: Float.self)
      affine.scale.withUnsafeBufferPointer { scale in
        for block in 0..<blocks {
          let place = block * channelsPerBlock * run
          scaleRuns(
            source + place * 4, scale, from: block / blocksPerGroup * channelsPerBlock, count: channelsPerBlock,
            run: run, to: target + place)
        }
      }
    }
    var bias = affine.shift
    if let old = convolution.bias?.elements(Float.self) {
      for channel in bias.indices { bias[channel] += old[channel] * affine.scale[channel] }
    }
    var node = convolution.node
    let newWeights = patch.constant(scaled)
    let newBias = patch.constant(try Tensor(bias, shape: [channels]))
    node.inputs = [node.input(0), newWeights, newBias]
    patch.update(convolution.id, node)
  }

  private func rewrite(
    _ id: NodeID, _ affine: ChannelAffine, _ matcher: Matcher, _ patch: inout GraphPatch
  ) throws {
    let node = matcher[id]
    guard let output = node.output(0), let rank = matcher.shape(affine.input)?.rank, rank >= 2 else { return }
    let shape = [affine.scale.count] + Array(repeating: 1, count: rank - 2)
    let result = matcher.program.described(output)
    let scaled = patch.node(
      OperatorName("Mul"), name: node.name,
      inputs: [affine.input, patch.constant(try Tensor(affine.scale, shape: shape))],
      output: Graph.Value(name: "", type: result.type, shape: result.shape))
    let shifted = patch.node(
      OperatorName("Add"), name: node.name,
      inputs: [scaled, patch.constant(try Tensor(affine.shift, shape: shape))], output: result)
    patch.replace(output, with: shifted)
    patch.remove(id)
  }
}

/// Multiplies runs of floats, which may lie anywhere, each by its factor.
@_optimize(speed) @inline(never)
private func scaleRuns(
  _ source: UnsafeRawPointer, _ factors: UnsafeBufferPointer<Float>, from first: Int, count: Int, run: Int,
  to target: UnsafeMutablePointer<Float>
) {
  for index in 0..<count {
    let (factor, start) = (factors[first + index], index &* run)
    for place in start..<(start &+ run) {
      target[place] = source.loadUnaligned(fromByteOffset: place &* 4, as: Float.self) * factor
    }
  }
}

/// A node that computes x · scale + shift, with a constant for each channel of `[N, C, …]`.
private struct ChannelAffine {
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

  /// A constant that broadcasts along channels only, as one number for each channel of `input`, which a convolution makes.
  private static func channels(_ value: ValueID, of input: ValueID, _ matcher: Matcher) -> [Float]? {
    guard let constant = matcher.constant(value), constant.type == .float32, let shape = matcher.shape(input),
      shape.rank >= 3, constant.rank <= shape.rank, let channels = matcher.ownConvolution(of: input)?.channels,
      shape[1] == .known(channels)
    else { return nil }
    if constant.count == 1 { return Array(repeating: constant.elements(Float.self)[0], count: channels) }
    guard constant.count == channels, constant.rank >= shape.rank - 1,
      constant.shape[constant.rank - (shape.rank - 1)] == channels
    else { return nil }
    return constant.elements(Float.self)
  }
}
