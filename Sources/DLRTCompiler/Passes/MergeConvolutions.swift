import DLRTGraph
import DLRTOperators

/// Convolutions of one image whose results are only added up become one, whose window covers theirs; so does the image
/// itself, which may be scaled. This is what blocks that were trained as several branches (RepVGG, MobileOne, FastViT)
/// are in a model: Ding et al., "RepVGG: Making VGG-style ConvNets Great Again", 2021.
struct MergeConvolutions: Pass {
  let name = "merge-convolutions"
  /// A sum may be a branch of another one.
  let repeats = true

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      guard let output = matcher[id].output(0), matcher.isSum(id), matcher.type(output) == .float32,
        !(matcher.onlyReader(of: output).map(matcher.isSum) ?? false)
      else { continue }
      var terms: [Term] = []
      collect(id, isNegative: false, matcher, &terms)
      try merge(terms, output, matcher, &patch)
    }
    return patch
  }

  /// One of the values that a tree of sums adds up or, if negative, takes off.
  private struct Term {
    let value: ValueID
    let isNegative: Bool
  }

  private func collect(_ root: NodeID, isNegative: Bool, _ matcher: Matcher, _ terms: inout [Term]) {
    var pending = [(root, isNegative)]
    while let (id, isNegative) = pending.popLast() {
      let isDifference = matcher[id].op == OperatorName("Sub")
      for (index, value) in matcher[id].inputs.enumerated() {
        guard let value else { continue }
        let isNegative = isNegative != (isDifference && index == 1)
        if matcher.useCount(value) == 1, let producer = matcher.producer(value), matcher.isSum(producer) {
          pending.append((producer, isNegative))
        } else {
          terms.append(Term(value: value, isNegative: isNegative))
        }
      }
    }
  }

  private func merge(_ terms: [Term], _ output: ValueID, _ matcher: Matcher, _ patch: inout GraphPatch) throws {
    let branches = try terms.map { try LinearBranch($0.value, isNegative: $0.isNegative, matcher) }
    // Of several, the one that may cover the others.
    guard
      let lead = branches.indices.filter({ branches[$0]?.convolution != nil })
        .max(by: { (branches[$0]?.taps ?? 0) < (branches[$1]?.taps ?? 0) }),
      let first = branches[lead], let convolution = first.convolution, let result = convolution.node.output(0)
    else { return }
    let merged = MergedConvolution(first, convolution)
    var rest: [Term] = []
    for index in terms.indices where index != lead {
      if let branch = branches[index], merged.add(branch, matcher) { continue }
      rest.append(terms[index])
    }
    guard merged.branches.count > 1 else { return }
    patch.update(convolution.id, try merged.node(&patch))
    var sum = result
    for (index, term) in rest.enumerated() {
      let isLast = index == rest.count - 1
      sum = patch.node(
        OperatorName(term.isNegative ? "Sub" : "Add"), inputs: [sum, term.value],
        output: isLast ? matcher.program.described(output) : Graph.Value(name: "", type: .tensor(.float32), shape: nil))
    }
    patch.replace(output, with: sum)
  }
}

extension Matcher {
  fileprivate func isSum(_ id: NodeID) -> Bool {
    let node = self[id]
    return (node.op == OperatorName("Add") || node.op == OperatorName("Sub")) && node.attributes.isEmpty
      && node.inputs.count == 2 && node.inputs.allSatisfy { constant($0) == nil }
  }
}

/// A value that is scale · f(image) + shift for each channel, where f is a convolution, or leaves the image as it is.
private final class LinearBranch {
  let image: ValueID
  let convolution: ConstantConvolution?
  let window: [WindowReach]
  let strides: [Int]
  /// By output channel; nil where all are 1.
  private(set) var scale: [Float]?
  private(set) var shift: [Float]?

  init?(_ value: ValueID, isNegative: Bool, _ matcher: Matcher) throws {
    var value = value
    while matcher.useCount(value) == 1, let id = matcher.producer(value), let affine = try ChannelAffine(id, matcher) {
      // What stood nearer to the result comes last.
      let outer = scale ?? affine.scale.map { _ in 1 }
      let added = zip(affine.shift, outer).map { $0 * $1 }
      shift = shift.map { zip($0, added).map { $0 + $1 } } ?? added
      scale = zip(affine.scale, outer).map { $0 * $1 }
      value = affine.input
    }
    convolution = matcher.ownConvolution(of: value)
    let channels: Int
    if let convolution {
      guard !convolution.isTransposed, let op = matcher.program.op(convolution.id) as? Conv,
        let image = convolution.node.input(0), case let attributes = op.attributes.window,
        attributes.autoPad == .explicit, case let kernel = convolution.weights.shape.dropFirst(2),
        (try? attributes.check(axes: kernel.count)) != nil
      else { return nil }
      self.image = image
      window = kernel.enumerated().map { axis, taps in
        let pads = attributes.pads(axis)
        return WindowReach(taps: taps, begin: pads.begin, end: pads.end, dilation: attributes.dilation(axis))
      }
      strides = kernel.indices.map { attributes.stride($0 - 2) }
      channels = convolution.channels
    } else {
      guard let shape = matcher.shape(value), shape.rank >= 3, let count = shape[1].value else { return nil }
      image = value
      window = Array(repeating: .pixel, count: shape.rank - 2)
      strides = Array(repeating: 1, count: shape.rank - 2)
      channels = count
    }
    guard (scale?.count ?? channels) == channels else { return nil }
    if isNegative {
      scale = scale?.map { -$0 } ?? Array(repeating: -1, count: channels)
      shift = shift?.map { -$0 }
    }
  }

  var taps: Int { window.reduce(1) { $0 * $1.taps } }
}

/// What a window reads along one axis.
private struct WindowReach: Equatable {
  var taps: Int
  var begin: Int
  var end: Int
  var dilation: Int

  static let pixel = WindowReach(taps: 1, begin: 0, end: 0, dilation: 1)

  /// By how much there are more outputs than pixels where the stride is 1.
  private var growth: Int { begin + end - (taps - 1) * dilation }

  /// Where the first tap of another window, which is within this one, comes to stand.
  func place(of other: WindowReach) -> Int { (begin - other.begin) / dilation }

  /// The smallest window with the taps of both; nil if there is none, or if not every image has as many outputs by one as
  /// by the other.
  func union(_ other: WindowReach) -> WindowReach? {
    let step = taps == 1 ? other.dilation : dilation
    guard growth == other.growth, other.taps == 1 || other.dilation == step, (begin - other.begin) % step == 0 else {
      return nil
    }
    var result = WindowReach(taps: 0, begin: max(begin, other.begin), end: 0, dilation: step)
    result.taps = max(result.place(of: self) + taps, result.place(of: other) + other.taps)
    result.end = growth - result.begin + (result.taps - 1) * step
    return result
  }
}

/// The convolution that several branches become.
private final class MergedConvolution {
  let lead: ConstantConvolution
  private(set) var branches: [LinearBranch]
  private var window: [WindowReach]

  init(_ branch: LinearBranch, _ convolution: ConstantConvolution) {
    lead = convolution
    branches = [branch]
    window = branch.window
  }

  /// Takes a branch in if it is of the same image, and if one window is no more work than two; says whether it did.
  func add(_ branch: LinearBranch, _ matcher: Matcher) -> Bool {
    guard branch.image == branches[0].image, branch.strides == branches[0].strides else { return false }
    if let convolution = branch.convolution {
      guard convolution.groups == lead.groups, convolution.weights.shape.prefix(2) == lead.weights.shape.prefix(2)
      else { return false }
    } else {
      guard lead.weights.shape[1] * lead.groups == lead.channels,
        matcher.shape(branch.image)?[1] == .known(lead.channels)
      else { return false }
    }
    let union = zip(window, branch.window).compactMap { $0.union($1) }
    let taps = union.reduce(1) { $0 * $1.taps }, before = window.reduce(1) { $0 * $1.taps }
    guard union.count == window.count, taps <= before + (branch.convolution == nil ? 0 : branch.taps) else {
      return false
    }
    window = union
    branches.append(branch)
    return true
  }

  func node(_ patch: inout GraphPatch) throws -> Node {
    let kernel = window.map(\.taps)
    let weights = try Tensor(
      uninitialized: Array(lead.weights.shape.prefix(2)) + kernel, type: .float32, lasts: true)
    let target = UnsafeMutableBufferPointer(
      start: weights.mutablePointer.assumingMemoryBound(to: Float.self), count: weights.count)
    target.initialize(repeating: 0)
    var bias = [Float](repeating: 0, count: lead.channels)
    for branch in branches {
      add(branch, to: target)
      let own = branch.convolution?.bias?.elements(Float.self)
      for channel in bias.indices {
        bias[channel] += (own?[channel] ?? 0) * (branch.scale?[channel] ?? 1) + (branch.shift?[channel] ?? 0)
      }
    }
    var node = lead.node
    node.inputs = [node.input(0), patch.constant(weights), patch.constant(try Tensor(bias, shape: [lead.channels]))]
    node.attributes["kernel_shape"] = .ints(kernel)
    node.attributes["pads"] = .ints(window.map(\.begin) + window.map(\.end))
    node.attributes["dilations"] = .ints(window.map(\.dilation))
    return node
  }

  /// Adds a branch's weights at their places in `[M, C / group, kernel…]`.
  private func add(_ branch: LinearBranch, to target: UnsafeMutableBufferPointer<Float>) {
    let strides = window.map(\.taps).rowMajorStrides
    let depth = lead.weights.shape[1], taps = window.reduce(1) { $0 * $1.taps }
    let start = zip(zip(window, branch.window), strides).reduce(0) { $0 + $1.0.0.place(of: $1.0.1) * $1.1 }
    guard let weights = branch.convolution?.weights else {
      let perGroup = lead.channels / lead.groups
      for channel in 0..<lead.channels {
        let filter = channel * depth + channel % perGroup
        target[filter * taps + start] += branch.scale?[channel] ?? 1
      }
      return
    }
    let own = branch.window.map(\.taps), ownStrides = own.rowMajorStrides
    let offsets = (0..<branch.taps).map { tap in
      own.indices.reduce(start) { $0 + tap / ownStrides[$1] % own[$1] * strides[$1] }
    }
    weights.withUnsafeBytes { bytes in
      weights.storage.preparePages(bytes)
      defer { weights.storage.releasePages(bytes) }
      for channel in 0..<lead.channels {
        addFilters(
          bytes, from: channel * depth, count: depth, factor: branch.scale?[channel] ?? 1, offsets: offsets,
          to: target, stride: taps)
      }
    }
  }
}

@_optimize(speed) @inline(never)
private func addFilters(
  _ source: UnsafeRawBufferPointer, from first: Int, count: Int, factor: Float, offsets: [Int],
  to target: UnsafeMutableBufferPointer<Float>, stride: Int
) {
  for filter in first..<first + count {
    for (tap, offset) in offsets.enumerated() {
      let weight = source.loadUnaligned(fromByteOffset: (filter * offsets.count + tap) * 4, as: Float.self)
      target[filter * stride + offset] += factor * weight
    }
  }
}
