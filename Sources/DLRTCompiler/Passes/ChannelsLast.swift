import DLRTGraph
import DLRTOperators

/// Brings convolutions and what lies between them into the layout `[N, spatial…, C]`.
///
/// Convolutions ask for the layout; operators that can work in it follow as soon as an input has it; a Transpose goes
/// only where a value in the new layout meets an operator that knows the old one alone.
struct ChannelsLast: Pass {
  let name = "channels-last"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    var walk = ChannelsLastWalk(program)
    for id in program.graph.order { try walk.visit(id) }
    return try walk.finished() ?? GraphPatch(program.graph)
  }
}

/// A walk over a graph in order, which gives values a twin in the other layout.
struct ChannelsLastWalk {
  let matcher: Matcher
  private(set) var patch: GraphPatch
  /// `[N, spatial…, C]` for values `[N, C, spatial…]`.
  private var twins: [ValueID: ValueID] = [:]
  /// Values that exist in the new layout only, in the order in which they were made.
  private var moved: [ValueID] = []
  /// Nodes that no longer exist in their old form.
  private var converted: Set<NodeID> = []
  /// Those of them that only brought a value to the old layout; where somebody still wants that, they come again.
  private var returns: Set<NodeID> = []

  init(_ program: Program) {
    matcher = Matcher(program)
    patch = GraphPatch(program.graph)
  }

  mutating func visit(_ id: NodeID) throws {
    let node = matcher[id]
    guard node.op.domain.isEmpty || node.op.domain == OperatorName.microsoftDomain, node.captureCount == 0,
      !converted.contains(id)
    else { return }
    if takeBack(id, node) { return }
    if try takeBackTokens(id, node) { return }
    if try anchor(id, node) { return }
    guard node.inputs.contains(where: { $0.map { twins[$0] != nil } ?? false }) else { return }
    try follow(id, node)
  }

  /// The patch, with a Transpose for every value that is still read in the old layout; nil when nothing changed.
  consuming func finished() throws -> GraphPatch? {
    guard converted.count > returns.count else { return nil }
    for value in moved {
      let isRead = matcher.isOutput(value) || matcher.readers(of: value).contains { !converted.contains($0) }
      guard isRead, let twin = twins[value], let rank = matcher.shape(value)?.rank else { continue }
      let back = patch.node(
        OperatorName("Transpose"), attributes: ["perm": .ints(Layout.toChannelsFirst(rank))], inputs: [twin],
        output: matcher.program.described(value))
      patch.replace(value, with: back)
    }
    return patch
  }
}

// MARK: What rules do

extension ChannelsLastWalk {
  /// A Transpose from the new layout to the old one, as around a normalisation of channels: its input is the twin of its
  /// output. Of rank 3 there are too many that mean something else.
  private mutating func takeBack(_ id: NodeID, _ node: Node) -> Bool {
    guard node.op == OperatorName("Transpose"), let input = node.input(0), let output = node.output(0),
      let rank = rank(input), rank >= 4, node.ints("perm") == Layout.toChannelsFirst(rank),
      twins[input] == nil, matcher.constant(input) == nil
    else { return false }
    twins[output] = input
    moved.append(output)
    converted.insert(id)
    returns.insert(id)
    return true
  }
}

extension ChannelsLastWalk {
  /// Tokens `[N, T, C]` that a Transpose and a Reshape make an image `[N, C, spatial…]` of, as between attention and a
  /// convolution: they are the image with channels last.
  private mutating func takeBackTokens(_ id: NodeID, _ node: Node) throws -> Bool {
    guard node.op == OperatorName("Reshape"), let output = node.output(0), twins[output] == nil,
      let turn = matcher.node(node.input(0), "Transpose"), turn.ints("perm") == [0, 2, 1],
      let tokens = turn.input(0), twins[tokens] == nil, matcher.constant(tokens) == nil,
      let from = matcher.shape(tokens), from.rank == 3,
      let shape = matcher.shape(output), shape.rank >= 3, shape[0].provablyEquals(from[0]),
      let channels = from[2].value, shape[1] == .known(channels),
      let sizes = matcher.constant(node.input(1))?.integers, sizes.count == shape.rank, !sizes.dropFirst(2).contains(0)
    else { return false }
    let target = constant(try Tensor(int64: [sizes[0]] + sizes[2...] + [channels]))
    twins[output] = patch.node(
      OperatorName("Reshape"), inputs: [tokens, target],
      output: matcher.program.described(output, shape.channelsLast))
    moved.append(output)
    converted.insert(id)
    returns.insert(id)
    return true
  }
}

extension ChannelsLastWalk {
  func twin(_ value: ValueID?) -> ValueID? { value.flatMap { twins[$0] } }

  func rank(_ value: ValueID?) -> Int? { matcher.shape(value)?.rank }

  /// The value in the new layout, by a Transpose if there is no other way.
  mutating func transposed(_ value: ValueID) -> ValueID? {
    if let twin = twins[value] { return twin }
    guard let shape = matcher.shape(value), shape.rank >= 3 else { return nil }
    let twin = patch.node(
      OperatorName("Transpose"), attributes: ["perm": .ints(Layout.toChannelsLast(shape.rank))], inputs: [value],
      output: matcher.program.described(value, shape.channelsLast))
    twins[value] = twin
    return twin
  }

  /// Puts a node that makes its outputs in the new layout in the place of one; not where the way back is unknown.
  mutating func convert(_ id: NodeID, _ node: Node) {
    var node = node
    guard node.outputs.allSatisfy({ $0 == nil || rank($0) != nil }) else { return }
    for (index, output) in node.outputs.enumerated() {
      guard let output else { continue }
      let twin = patch.value(matcher.program.described(output, matcher.shape(output)?.channelsLast))
      twins[output] = twin
      moved.append(output)
      node.outputs[index] = twin
    }
    patch.update(id, node)
    converted.insert(id)
  }

  /// Puts a node that makes the same output from inputs in the new layout in the place of one.
  mutating func replace(_ id: NodeID, _ node: Node) {
    patch.update(id, node)
    converted.insert(id)
  }

  /// Removes a node whose output another value is.
  mutating func remove(_ id: NodeID, output: ValueID, with value: ValueID) {
    patch.replace(output, with: value)
    patch.remove(id)
    converted.insert(id)
  }

  /// Drops a node whose only reader gets what it needs otherwise.
  mutating func absorb(_ id: NodeID) {
    patch.remove(id)
    converted.insert(id)
  }

  mutating func constant(_ tensor: Tensor) -> ValueID { patch.constant(tensor) }

  mutating func addNode(_ op: String, _ inputs: [ValueID?], _ attributes: [String: Attribute] = [:]) -> ValueID {
    patch.node(OperatorName(op), attributes: attributes, inputs: inputs, output: Graph.Value(name: ""))
  }
}

/// Where axes go between the two layouts.
enum Layout {
  /// The permutation that brings `[N, C, spatial…]` to `[N, spatial…, C]`.
  static func toChannelsLast(_ rank: Int) -> [Int] { [0] + Array(2..<rank) + [1] }

  /// The permutation that brings `[N, spatial…, C]` to `[N, C, spatial…]`.
  static func toChannelsFirst(_ rank: Int) -> [Int] { [0, rank - 1] + Array(1..<(rank - 1)) }

  /// Where an axis of `[N, C, spatial…]`, counted from either end, is in `[N, spatial…, C]`; nil when out of range.
  static func axis(_ axis: Int, _ rank: Int) -> Int? {
    guard axis >= -rank, axis < rank else { return nil }
    switch axis < 0 ? axis + rank : axis {
    case 0: return 0
    case 1: return rank - 1
    case let spatial: return spatial - 1
    }
  }

  static func axes(_ axes: [Int], _ rank: Int) -> [Int]? {
    let result = axes.compactMap { axis($0, rank) }
    return result.count == axes.count ? result : nil
  }
}
