import DLRTGraph
import DLRTOperators

/// Which steps of a stage read or write in another value's memory, so that rearranging nodes between them move nothing.
/// A rearranging node that nobody else needs then drops out of the plan.
struct StageViews {
  /// A value's memory, and where something lies in it.
  struct Source: Equatable {
    let value: ValueID
    let view: StridedView
  }

  let program: Program
  private let environment: PlanEnvironment
  let facts: PlanFacts
  var inputs: [NodeID: [Int: Source]] = [:]
  var outputs: [NodeID: Source] = [:]
  /// Values that lie within another's memory.
  var places: [ValueID: Source] = [:]
  /// Nodes whose outputs others write for them.
  var absorbed: Set<NodeID> = []
  /// Values that somebody reads or writes through a view, and which must be where they are.
  private var fixed: Set<ValueID> = []
  /// The nodes of a stage that begins where another one has ended; nil where all are there.
  private let here: Set<NodeID>?

  init(_ nodes: [NodeID], program: Program, environment: PlanEnvironment, facts: PlanFacts) {
    self.program = program
    self.environment = environment
    self.facts = facts
    here = nodes.count == program.graph.order.count ? nil : Set(nodes)
    let able = nodes.filter { id in
      guard !facts.waiting.contains(id), let op = program.op(id) else { return false }
      return op.writesPermuted || !op.viewableInputs.isEmpty
    }
    for id in able {
      guard let op = program.op(id) else { continue }
      for index in op.viewableInputs { findSource(of: index, id, op) }
    }
    fixed = Set(inputs.values.flatMap { $0.values.map(\.value) })
    for id in able where program.op(id)?.writesPermuted == true { findTarget(of: id) }
    fixed.formUnion(outputs.values.map(\.value))
    placeParts(of: nodes)
  }

  /// What a node reads, where its step reads it.
  func inputs(of id: NodeID) -> [ValueID?] {
    let direct = program.graph[id].inputs
    guard let views = inputs[id] else { return direct }
    return direct.enumerated().map { views[$0]?.value ?? $1 }
  }

  /// What a node's step writes.
  func outputs(of id: NodeID) -> [ValueID?] {
    let direct = program.graph[id].outputs
    guard let target = outputs[id] else { return direct }
    return [target.value] + direct.dropFirst()
  }

  /// False for what an earlier stage has run: of its values only those are left that this stage was known to read.
  func runsHere(_ id: NodeID) -> Bool { here?.contains(id) ?? true }

  func view(of input: Int, _ id: NodeID) -> StridedView? { inputs[id]?[input]?.view }
  func outputView(_ id: NodeID) -> StridedView? { outputs[id]?.view }
}

// MARK: Finding them

extension StageViews {
  /// A value that lies in memory as it is: neither made at plan time nor by data.
  func isPlain(_ value: ValueID) -> Bool {
    guard let fact = facts[value], fact.type.dataType != nil, let sizes = fact.shape?.sizes else { return false }
    return fact.constant == nil && !facts.dataDependent.contains(value) && sizes.product > 0
  }

  func shape(_ value: ValueID) -> [Int] { facts[value]?.shape?.sizes ?? [] }

  func planning(_ id: NodeID) -> Planning {
    func operand(_ value: ValueID) -> Planning.Operand {
      let fact = facts[value]
      return Planning.Operand(type: fact?.type ?? .tensor(.float32), shape: shape(value), constant: fact?.constant)
    }
    let node = program.graph[id]
    return Planning(
      inputs: node.inputs.map { $0.map(operand) }, outputs: node.outputs.map { $0.map(operand) },
      environment: environment)
  }

  /// Whether the first output of a node may be elsewhere than in memory of its own: the node runs in this stage, its step
  /// has not been told yet where to write, and nobody needs the value where it is.
  func mayMove(_ value: ValueID, of maker: NodeID) -> Bool {
    guard runsHere(maker), !facts.waiting.contains(maker), !absorbed.contains(maker), outputs[maker] == nil,
      program.graph[maker].output(0) == value
    else { return false }
    return isPlain(value) && places[value] == nil && !fixed.contains(value) && !program.graph.outputs.contains(value)
  }

  /// Where a rearranging node has one of its outputs in its input's memory.
  private func view(_ value: ValueID, of id: NodeID, _ source: StridedView) -> StridedView? {
    guard let op = program.op(id), let index = program.graph[id].outputs.firstIndex(of: value) else { return nil }
    return op.view(output: index, source, planning(id))
  }

  /// Follows an input back over rearranging nodes, as far as the step can read what they began with.
  private mutating func findSource(of index: Int, _ id: NodeID, _ op: any Operator) {
    guard let value = program.graph[id].input(index), isPlain(value) else { return }
    var way: [(value: ValueID, node: NodeID)] = []
    var best: Source?
    var root = value
    let own = planning(id)
    while let node = program.producers[root], runsHere(node), !facts.waiting.contains(node),
      let input = program.graph[node].input(0),
      isPlain(input), facts[input]?.type == facts[value]?.type,
      view(root, of: node, StridedView(whole: shape(input))) != nil
    {
      way.append((root, node))
      root = input
      var found: StridedView? = StridedView(whole: shape(root))
      for step in way.reversed() { found = found.flatMap { view(step.value, of: step.node, $0) } }
      if let found, op.reads(found, input: index, own) { best = Source(value: root, view: found) }
    }
    // A mere change of shape is for free anyway.
    guard let best, !best.view.isWhole(shape(value)) else { return }
    inputs[id, default: [:]][index] = best
  }

  /// The order of axes that the only reader of a node's output wants.
  private mutating func findTarget(of id: NodeID) {
    let graph = program.graph
    guard let value = graph[id].output(0), mayMove(value, of: id),
      program.readers[value].count == 1, let reader = program.readers[value].first, !facts.waiting.contains(reader),
      let swapped = graph[reader].output(0), graph[reader].outputs.count == 1, isPlain(swapped),
      let type = facts[value]?.type.dataType, facts[swapped]?.type.dataType == type,
      // What is narrowed behind the step is not the step's to place.
      let op = program.op(id), !Swift.type(of: op).promotedTypes.contains(type)
    else { return }
    let (from, to) = (shape(value), shape(swapped))
    guard from.count == to.count, from.product == to.product,
      let seen = view(swapped, of: reader, StridedView(whole: from))
    else { return }
    // Where an axis went: the axis of the result that steps through memory as it does.
    let (own, new) = (from.rowMajorStrides, to.rowMajorStrides)
    var strides: [Int] = []
    for axis in from.indices {
      let place = to.indices.first { to[$0] == from[axis] && seen.strides[$0] == own[axis] }
      guard from[axis] == 1 || place != nil else { return }
      strides.append(from[axis] == 1 ? 0 : new[place ?? axis])
    }
    guard strides != own, strides.last == own.last || from.last == 1 else { return }
    outputs[id] = Source(value: swapped, view: StridedView(strides: strides))
    absorbed.insert(reader)
  }
}
