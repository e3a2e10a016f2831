import DLRTGraph
import DLRTOperators

/// Convolutions of one image whose results are only added up become one, if the window of the largest covers theirs; so
/// does the image itself, which may be scaled. This is what blocks that were trained as several branches (RepVGG,
/// MobileOne, FastViT) are in a model: Ding et al., "RepVGG: Making VGG-style ConvNets Great Again", 2021.
struct MergeConvolutions: Pass {
  let name = "merge-convolutions"
  /// A sum, scaled, may be a term of another one.
  let repeats = true
  /// More than blocks have; of sums with more, those that are left come in another turn.
  private static let mostBranches = 16

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    var budget = program.spareBytes
    for id in program.graph.order {
      guard matcher.isSum(id), let output = matcher[id].output(0), matcher.type(output) == .float32,
        !(matcher.onlyReader(of: output).map(matcher.isSum) ?? false)
      else { continue }
      var sum = SumTree(id, matcher)
      let merged = merged(sum.terms, matcher, &budget)
      if merged.isEmpty { continue }
      for group in merged {
        for member in group.members.dropFirst() { sum.drop(member.term) }
      }
      for group in merged {
        let term = group.members[0].term
        guard let result = group.lead.node.output(0) else { continue }
        sum.terms[term].value = result
        // What remains of the sum takes the lead with its sign; where nothing else remains, no sign is left to take.
        let isNegative = sum.count > 1 && sum.terms[term].isNegative
        patch.update(group.lead.id, try group.node(isNegative: isNegative, &patch))
      }
      sum.rewrite(matcher, &patch)
    }
    return patch
  }

  /// The terms that become one convolution each, of those of a sum.
  private func merged(_ terms: [SumTree.Term], _ matcher: Matcher, _ budget: inout Int) -> [MergedConvolution] {
    var places: [ValueID: Int] = [:], images: [[(term: Int, branch: LinearBranch)]] = []
    for (index, term) in terms.enumerated() {
      guard let branch = LinearBranch(term.value, isNegative: term.isNegative, matcher) else { continue }
      let place = places[branch.image, default: images.count]
      places[branch.image] = place
      if place == images.count { images.append([]) }
      images[place].append((index, branch))
    }
    var isFree = [Bool](repeating: true, count: terms.count)
    var result: [MergedConvolution] = []
    for branches in images where branches.count > 1 {
      var leads = branches.filter { $0.branch.convolution != nil }
      for _ in 0..<min(Self.mostBranches, leads.count) {
        // The largest first, which may cover the others.
        guard let place = leads.indices.max(by: { leads[$0].branch.taps < leads[$1].branch.taps }) else { break }
        let (lead, branch) = leads.remove(at: place)
        guard isFree[lead], let merged = MergedConvolution(lead, branch), merged.byteCount <= budget else { continue }
        for other in branches
        where other.term != lead && isFree[other.term] && merged.members.count < Self.mostBranches {
          isFree[other.term] = !merged.add(other.term, other.branch, matcher)
        }
        guard merged.members.count > 1 else { continue }
        isFree[lead] = false
        budget -= merged.byteCount
        result.append(merged)
      }
    }
    return result
  }
}

/// A value that is scale · f(image) + shift for each channel, where f is a convolution, or leaves the image as it is.
private final class LinearBranch {
  let image: ValueID
  let convolution: ConstantConvolution?
  let window: [WindowReach]
  let strides: [Int]
  let isNegative: Bool
  private let affines: [ChannelAffine]

  init?(_ value: ValueID, isNegative: Bool, _ matcher: Matcher) {
    let (source, affines) = matcher.affines(before: value)
    convolution = matcher.ownConvolution(of: source)
    if let convolution {
      guard !convolution.isTransposed, let op = matcher.program.op(convolution.id) as? Conv,
        let image = convolution.node.input(0), case let attributes = op.attributes.window,
        attributes.autoPad == .explicit, case let kernel = Array(convolution.weights.shape.dropFirst(2)),
        (try? attributes.check(axes: kernel.count)) != nil
      else { return nil }
      self.image = image
      window = kernel.indices.map { axis in
        let pads = attributes.pads(axis)
        return WindowReach(
          taps: kernel[axis], begin: pads.begin, end: pads.end, dilation: attributes.dilation(axis))
      }
      strides = kernel.indices.map { attributes.stride($0) }
    } else {
      guard let rank = matcher.shape(source)?.rank, rank >= 3 else { return nil }
      image = source
      window = Array(repeating: .pixel, count: rank - 2)
      strides = Array(repeating: 1, count: rank - 2)
    }
    (self.affines, self.isNegative) = (affines, isNegative)
  }

  var taps: Int { window.reduce(1) { $0 * $1.taps } }

  /// What is done to the convolution's result, or to the image, with so many channels; nil if it is for another number.
  func numbers(channels: Int) -> (scale: [Float], shift: [Float])? { affines.composed(channels: channels) }
}

/// What a window reads along one axis.
private struct WindowReach {
  let taps: Int
  let begin: Int
  let end: Int
  let dilation: Int

  static let pixel = WindowReach(taps: 1, begin: 0, end: 0, dilation: 1)

  /// By how much there are more outputs than pixels where the stride is 1.
  private var growth: Int { begin + end - (taps - 1) * dilation }

  /// The tap that stands where another window has its first one, if that has all its taps here and as many outputs of
  /// every image.
  func place(of other: WindowReach) -> Int? {
    let distance = begin - other.begin
    guard growth == other.growth, other.taps == 1 || other.dilation == dilation, distance >= 0,
      distance % dilation == 0, distance / dilation + other.taps <= taps
    else { return nil }
    return distance / dilation
  }
}

/// The convolution that several branches become, the first of which covers the others.
private final class MergedConvolution {
  struct Member {
    /// Which of the sum's.
    let term: Int
    let branch: LinearBranch
    let numbers: (scale: [Float], shift: [Float])
    /// Where its first tap comes to stand among the lead's.
    let start: Int
  }

  let lead: ConstantConvolution
  private let window: [WindowReach]
  private(set) var members: [Member]

  init?(_ term: Int, _ branch: LinearBranch) {
    guard let lead = branch.convolution, let numbers = branch.numbers(channels: lead.channels) else { return nil }
    (self.lead, window) = (lead, branch.window)
    members = [Member(term: term, branch: branch, numbers: numbers, start: 0)]
  }

  var byteCount: Int { lead.weights.byteCount }

  /// Takes a branch of the same image in if it can; says whether it did.
  func add(_ term: Int, _ branch: LinearBranch, _ matcher: Matcher) -> Bool {
    guard branch.strides == members[0].branch.strides else { return false }
    if let convolution = branch.convolution {
      guard convolution.groups == lead.groups, convolution.weights.shape.prefix(2) == lead.weights.shape.prefix(2)
      else { return false }
    } else {
      guard lead.weights.shape[1] * lead.groups == lead.channels,
        matcher.shape(branch.image)?[1] == .known(lead.channels)
      else { return false }
    }
    let places = zip(window, branch.window).compactMap { $0.place(of: $1) }
    guard places.count == window.count, branch.window.count == window.count,
      let numbers = branch.numbers(channels: lead.channels)
    else { return false }
    let start = zip(places, window.map(\.taps).rowMajorStrides).reduce(0) { $0 + $1.0 * $1.1 }
    members.append(Member(term: term, branch: branch, numbers: numbers, start: start))
    return true
  }

  /// - Parameter isNegative: whether the result is taken off what it is for.
  func node(isNegative: Bool, _ patch: inout GraphPatch) throws -> Node {
    let weights = try Tensor(uninitialized: lead.weights.shape, type: .float32, lasts: true)
    let target = weights.mutablePointer.assumingMemoryBound(to: Float.self)
    let depth = lead.weights.shape[1], taps = members[0].branch.taps, perGroup = lead.channels / lead.groups
    let signs = members.map { $0.branch.isNegative == isNegative ? 1.0 : -1.0 }
    let biases = members.map { $0.branch.convolution?.bias?.elements(Float.self) }
    let shares = members.map { WeightShare($0.branch, in: window, from: $0.start) }
    for share in shares { share.prepare() }
    defer { for share in shares { share.release() } }
    // Large terms may cancel each other.
    var bias: [Float] = [], filters = [Double](repeating: 0, count: depth * taps)
    for channel in 0..<lead.channels {
      var sum = 0.0
      for place in filters.indices { filters[place] = 0 }
      for (index, member) in members.enumerated() {
        let scale = signs[index] * Double(member.numbers.scale[channel])
        sum += Double(biases[index]?[channel] ?? 0) * scale + signs[index] * Double(member.numbers.shift[channel])
        shares[index].add(
          to: &filters, channel: channel, depth: depth, own: channel % perGroup, factor: scale, taps: taps)
      }
      bias.append(Float(sum))
      for place in filters.indices { target[channel * filters.count + place] = Float(filters[place]) }
    }
    var node = lead.node
    node.inputs = [node.input(0), patch.constant(weights), patch.constant(try Tensor(bias, shape: [lead.channels]))]
    return node
  }
}

/// What a branch adds to the filters `[C / group, kernel…]` of each output channel.
private struct WeightShare {
  /// Nil for the image itself.
  private let weights: Tensor?
  /// Where each of its taps is among all.
  private let offsets: [Int]

  init(_ branch: LinearBranch, in whole: [WindowReach], from start: Int) {
    weights = branch.convolution?.weights
    let own = branch.window.map(\.taps), strides = own.rowMajorStrides, steps = whole.map(\.taps).rowMajorStrides
    offsets = (0..<branch.taps).map { tap in
      own.indices.reduce(start) { $0 + tap / strides[$1] % own[$1] * steps[$1] }
    }
  }

  func prepare() { weights?.withUnsafeBytes { weights?.storage.preparePages($0) } }
  func release() { weights?.withUnsafeBytes { weights?.storage.releasePages($0) } }

  /// - Parameter own: which of a group's inputs stands for the image's own channel.
  @_optimize(speed) @inline(never)
  func add(to filters: inout [Double], channel: Int, depth: Int, own: Int, factor: Double, taps: Int) {
    guard let weights else {
      filters[own * taps + offsets[0]] += factor
      return
    }
    weights.withUnsafeBytes { bytes in
      for input in 0..<depth {
        for (tap, offset) in offsets.enumerated() {
          let place = ((channel * depth + input) * offsets.count + tap) * 4
          filters[input * taps + offset] += factor * Double(bytes.loadUnaligned(fromByteOffset: place, as: Float.self))
        }
      }
    }
  }
}
