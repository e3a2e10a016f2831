import DLRTGraph
import DLRTOperators

/// Convolutions of one image whose results are only added up become one, if the window of the largest covers theirs; so
/// does the image itself, which may be scaled. This is what blocks that were trained as several branches (RepVGG,
/// MobileOne, FastViT) are in a model: Ding et al., "RepVGG: Making VGG-style ConvNets Great Again", 2021.
struct MergeConvolutions: Pass {
  let name = "merge-convolutions"
  /// A sum, scaled, may be a term of another one.
  let repeats = true
  /// New weights, all together, may be larger than the model's constants by as much.
  private static let mostExtraBytes = 16 << 20
  /// More than blocks have; of sums with more, those that are left come in another turn.
  private static let mostBranches = 16

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    var budget = Self.mostExtraBytes &+ 2 &* program.givenBytes &- program.graph.constantBytes
    for id in program.graph.order {
      guard matcher.isSum(id), let output = matcher[id].output(0), matcher.type(output) == .float32,
        !(matcher.onlyReader(of: output).map(matcher.isSum) ?? false)
      else { continue }
      var sum = SumTree(id, matcher)
      let merged = merged(sum.terms, matcher, &budget)
      if merged.isEmpty { continue }
      for group in merged {
        for index in group.members.dropFirst() { sum.drop(index) }
      }
      for group in merged {
        guard let lead = group.branches[0].convolution, let result = lead.node.output(0) else { continue }
        sum.terms[group.members[0]].value = result
        // What remains of the sum takes the lead with its sign; where nothing else remains, no sign is left to take.
        let isNegative = sum.count > 1 && sum.terms[group.members[0]].isNegative
        patch.update(lead.id, try group.node(isNegative: isNegative, &patch))
      }
      sum.rewrite(matcher, &patch)
    }
    return patch
  }

  /// The terms that become one convolution each, of those of a sum.
  private func merged(_ terms: [SumTree.Term], _ matcher: Matcher, _ budget: inout Int) -> [MergedConvolution] {
    let branches = terms.map { LinearBranch($0.value, isNegative: $0.isNegative, matcher) }
    var images: [ValueID] = [], members: [ValueID: [Int]] = [:]
    for index in branches.indices {
      guard let image = branches[index]?.image else { continue }
      if members[image] == nil { images.append(image) }
      members[image, default: []].append(index)
    }
    var isFree = [Bool](repeating: true, count: terms.count)
    var result: [MergedConvolution] = []
    for case let members? in images.map({ members[$0] }) where members.count > 1 {
      var leads = members.filter { branches[$0]?.convolution != nil }
      for _ in 0..<min(Self.mostBranches, leads.count) {
        // The largest first, which may cover the others.
        guard let place = leads.indices.max(by: { taps(branches[leads[$0]]) < taps(branches[leads[$1]]) }) else {
          break
        }
        let lead = leads.remove(at: place)
        guard isFree[lead], let branch = branches[lead], let merged = MergedConvolution(branch, lead),
          merged.byteCount <= budget
        else { continue }
        for other in members where other != lead && isFree[other] && merged.members.count < Self.mostBranches {
          if let branch = branches[other] { isFree[other] = !merged.add(branch, other, matcher) }
        }
        guard merged.members.count > 1 else { continue }
        isFree[lead] = false
        budget -= merged.byteCount
        result.append(merged)
      }
    }
    return result
  }

  private func taps(_ branch: LinearBranch?) -> Int { branch?.taps ?? 0 }
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
  private(set) var branches: [LinearBranch]
  /// Which terms of the sum they are.
  private(set) var members: [Int]
  private let lead: ConstantConvolution
  private var numbers: [(scale: [Float], shift: [Float])]

  init?(_ branch: LinearBranch, _ index: Int) {
    guard let lead = branch.convolution, let own = branch.numbers(channels: lead.channels) else { return nil }
    (self.lead, branches, members, numbers) = (lead, [branch], [index], [own])
  }

  var byteCount: Int { lead.weights.byteCount }

  /// Takes a branch of the same image in if it can; says whether it did.
  func add(_ branch: LinearBranch, _ index: Int, _ matcher: Matcher) -> Bool {
    guard branch.image == branches[0].image, branch.strides == branches[0].strides else { return false }
    if let convolution = branch.convolution {
      guard convolution.groups == lead.groups, convolution.weights.shape.prefix(2) == lead.weights.shape.prefix(2)
      else { return false }
    } else {
      guard lead.weights.shape[1] * lead.groups == lead.channels,
        matcher.shape(branch.image)?[1] == .known(lead.channels)
      else { return false }
    }
    guard offset(of: branch) != nil, let own = branch.numbers(channels: lead.channels) else { return false }
    branches.append(branch)
    members.append(index)
    numbers.append(own)
    return true
  }

  /// Where a branch's first tap comes to stand among the lead's.
  private func offset(of branch: LinearBranch) -> Int? {
    let window = branches[0].window
    let places = zip(window, branch.window).compactMap { $0.place(of: $1) }
    guard places.count == window.count, branch.window.count == window.count else { return nil }
    return zip(places, window.map(\.taps).rowMajorStrides).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// - Parameter isNegative: whether the result is taken off what it is for.
  func node(isNegative: Bool, _ patch: inout GraphPatch) throws -> Node {
    let weights = try Tensor(uninitialized: lead.weights.shape, type: .float32, lasts: true)
    let target = weights.mutablePointer.assumingMemoryBound(to: Float.self)
    let signs = branches.map { $0.isNegative == isNegative ? 1.0 : -1.0 }
    let biases = branches.map { $0.convolution?.bias?.elements(Float.self) }
    let shares = branches.map {
      WeightShare($0.convolution?.weights, $0.window, in: branches[0].window, offset(of: $0))
    }
    for share in shares { share.prepare() }
    defer { for share in shares { share.release() } }
    let depth = lead.weights.shape[1], perGroup = lead.channels / lead.groups
    // Large terms may cancel each other.
    var bias: [Float] = [], filters = [Double](repeating: 0, count: depth * branches[0].taps)
    for channel in 0..<lead.channels {
      var sum = 0.0
      for place in filters.indices { filters[place] = 0 }
      for index in branches.indices {
        let scale = signs[index] * Double(numbers[index].scale[channel])
        sum += Double(biases[index]?[channel] ?? 0) * scale + signs[index] * Double(numbers[index].shift[channel])
        shares[index].add(
          to: &filters, channel: channel, depth: depth, own: channel % perGroup, factor: scale,
          taps: branches[0].taps)
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

  init(_ weights: Tensor?, _ window: [WindowReach], in whole: [WindowReach], _ start: Int?) {
    self.weights = weights
    let own = window.map(\.taps), strides = own.rowMajorStrides, steps = whole.map(\.taps).rowMajorStrides
    offsets = (0..<own.reduce(1, *)).map { tap in
      own.indices.reduce(start ?? 0) { $0 + tap / strides[$1] % own[$1] * steps[$1] }
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
