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
      guard let affine = ChannelAffine(id, matcher), let output = program.graph[id].output(0),
        matcher.type(output) == .float32
      else { continue }
      if let convolution = matcher.ownConvolution(of: affine.input), !changed.contains(convolution.id),
        let numbers = affine.numbers(channels: convolution.channels)
      {
        changed.insert(convolution.id)
        try fold(numbers, into: convolution, &patch)
        patch.replace(output, with: affine.input)
        patch.remove(id)
      } else if program.graph[id].op == OperatorName("BatchNormalization"), let channels = affine.channels,
        let numbers = affine.numbers(channels: channels)
      {
        try rewrite(id, affine.input, numbers, matcher, &patch)
      }
    }
    return patch
  }

  private func fold(
    _ affine: (scale: [Float], shift: [Float]), into convolution: ConstantConvolution, _ patch: inout GraphPatch
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
    _ id: NodeID, _ input: ValueID, _ affine: (scale: [Float], shift: [Float]), _ matcher: Matcher,
    _ patch: inout GraphPatch
  ) throws {
    let node = matcher[id]
    guard let output = node.output(0), let rank = matcher.shape(input)?.rank, rank >= 2 else { return }
    let shape = [affine.scale.count] + Array(repeating: 1, count: rank - 2)
    let result = matcher.program.described(output)
    let scaled = patch.node(
      OperatorName("Mul"), name: node.name,
      inputs: [input, patch.constant(try Tensor(affine.scale, shape: shape))],
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
