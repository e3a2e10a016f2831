import DLRTGraph
import DLRTOperators

/// A graph with an operator for each node and what inference found for each value: what passes rewrite and plans are
/// made from.
package struct Program: Sendable {
  package private(set) var graph: Graph
  /// By node index; nil where a node was removed.
  private var table: [(any Operator)?] = []
  /// By value index: what holds for every run.
  package private(set) var facts: [Fact?] = []
  /// By value index: the facts of the graph's constants alone.
  package private(set) var constants: [Fact?] = []
  /// The node that makes each value, and the nodes that read it.
  package private(set) var producers: ValueTable<NodeID>
  package private(set) var readers: ReaderTable
  /// Bytes of the constants that the graph came with.
  package let givenBytes: Int
  package let registry: OperatorRegistry
  private let makeSubgraph: @Sendable (Program) throws -> any Subgraph

  /// Makes all operators and infers what can be inferred.
  ///
  /// - Parameter makeSubgraph: turns the compiled body of a control-flow operator into something runnable.
  /// - Throws: one error for all nodes whose operators cannot be made.
  package init(
    _ graph: Graph, registry: OperatorRegistry, makeSubgraph: @escaping @Sendable (Program) throws -> any Subgraph
  ) throws {
    self.graph = graph
    self.graph.forgetSeen()
    givenBytes = graph.constantBytes
    self.registry = registry
    self.makeSubgraph = makeSubgraph
    producers = graph.producers()
    readers = graph.readers()
    try makeOperators()
    try infer()
  }

  /// How many bytes passes may still add to the constants: all together, what passes make may be as large as what the
  /// graph came with and a little more. A model of a few bytes must not become gigabytes.
  package var spareBytes: Int { (16 << 20) &+ 2 &* givenBytes &- graph.constantBytes }

  package func op(_ id: NodeID) -> (any Operator)? { id.index < table.count ? table[id.index] : nil }
  package func fact(_ id: ValueID?) -> Fact? { id.flatMap { $0.index < facts.count ? facts[$0.index] : nil } }

  /// Applies a pass's change, then makes the operators and facts of what is new.
  package mutating func apply(_ patch: consuming GraphPatch) throws {
    let changed = patch.changedNodes
    try patch.apply(to: &graph)
    producers = graph.producers()
    readers = graph.readers()
    for id in changed where id.index < table.count { forget(id.index) }
    for index in table.indices where !graph.contains(NodeID(index)) { forget(index) }
    try makeOperators()
    try infer()
  }
}

extension Program {
  private mutating func forget(_ node: Int) { table[node] = nil }

  private mutating func makeOperators() throws {
    var failures: [DLRTError] = []
    for id in graph.order {
      while table.count <= id.index { table.append(nil) }
      guard table[id.index] == nil else { continue }
      do {
        table[id.index] = try registry.make(graph[id], label: graph.label(of: id)) { [registry, makeSubgraph] body in
          try makeSubgraph(Program(body, registry: registry, makeSubgraph: makeSubgraph))
        }
      } catch let error as DLRTError where error.code == .unsupportedModel {
        failures.append(error)
      }
    }
    guard let first = failures.first else { return }
    if failures.count == 1 { throw first }
    throw DLRTError(.unsupportedModel, "\(failures.count) nodes cannot be run", causes: failures)
  }

  /// Runs inference in order over symbols. What the model declares fills gaps only: exporters often declare wrongly.
  /// Only nodes are visited that are new, or whose inputs are others or other than before.
  private mutating func infer() throws {
    while facts.count < graph.values.count {
      facts.append(nil)
      constants.append(nil)
    }
    for index in graph.values.indices where (graph.values[index].constant == nil) != (constants[index] == nil) {
      constants[index] = graph.values[index].constant.map { Fact(constant: $0) }
      facts[index] = constants[index]
    }
    for id in graph.inputs where facts[id.index] == nil {
      let value = graph[id]
      facts[id.index] = value.type.map { Fact($0, Self.named(value.shape, id)) }
    }
    var changed = ValueSet(graph)
    var hasChanged = false
    for id in graph.order {
      if !graph.hasChanged(id), !hasChanged || !graph[id].inputs.contains(where: { $0.map(changed.contains) ?? false })
      {
        continue
      }
      let node = graph[id]
      let before = node.outputs.map { $0.flatMap { facts[$0.index] } }
      try inferNode(id, node)
      graph.noteSeen(id)
      for case (let output?, let old) in zip(node.outputs, before) where !(facts[output.index].says(sameAs: old)) {
        changed.insert(output)
        hasChanged = true
      }
    }
  }

  private mutating func inferNode(_ id: NodeID, _ node: Node) throws {
    guard let op = op(id) else { return }
    for case let output? in node.outputs { facts[output.index] = nil }
    if let inputs = node.inputFacts(facts) {
      let inference = try op.inferredAsFarAsPossible(
        inputs, outputCount: node.outputs.count, label: graph.label(of: id), op: node.op)
      for (output, fact) in zip(node.outputs, inference.outputs) {
        guard let output else { continue }
        facts[output.index] = fact
        facts[output.index]?.shape = Self.named(fact?.shape, output)
      }
    }
    for case let output? in node.outputs {
      let declared = graph[output]
      if facts[output.index] == nil {
        facts[output.index] = declared.type.map { Fact($0, Self.named(declared.shape, output)) }
      } else if facts[output.index]?.shape == nil {
        facts[output.index]?.shape = Self.named(declared.shape, output)
      }
    }
  }

  /// Gives dimensions of which nothing is known a symbol of their own: whatever they are in a run, they are equal
  /// wherever they come to stand.
  private static func named(_ shape: Shape?, _ value: ValueID) -> Shape? {
    guard var shape else { return nil }
    for (axis, dim) in shape.dims.enumerated() where dim == .unknown {
      shape[axis] = .symbol("\(Dim.anonymousPrefix)\(value.index).\(axis)")
    }
    return shape
  }
}

extension Node {
  /// What is known of each input, which is nil for an absent one; nil as a whole where nothing is known of a present one.
  ///
  /// - Parameter facts: by value index.
  fileprivate func inputFacts(_ facts: [Fact?]) -> [Fact?]? {
    var result: [Fact?] = []
    result.reserveCapacity(inputs.count)
    for input in inputs {
      let fact = input.flatMap { facts[$0.index] }
      if input != nil, fact == nil { return nil }
      result.append(fact)
    }
    return result
  }
}

extension Fact? {
  /// Whether both lead to the same inference.
  fileprivate func says(sameAs other: Fact?) -> Bool {
    guard let self, let other else { return self == nil && other == nil }
    return self.type == other.type && self.shape == other.shape && self.elements == other.elements
      && self.constant?.storage === other.constant?.storage
  }
}

extension Operator {
  /// Inference that stops quietly where something is not known.
  package func inferredAsFarAsPossible(
    _ inputs: [Fact?], outputCount: Int, label: String, op: OperatorName
  ) throws -> Inference {
    var inference = Inference(schema: Self.schema, inputs: inputs, outputCount: outputCount)
    do {
      try Self.schema.checkTypes(inputs)
      try infer(&inference)
    } catch is Unresolved {
    } catch let error as DLRTError {
      throw error.located(node: label, operatorName: op.description)
    }
    return inference
  }
}

extension Program {
  /// What the graph's outputs are for inputs of the given facts.
  package func outputFacts(for inputs: [Fact?]) throws -> [Fact] {
    var known = facts
    for (id, fact) in zip(graph.inputs, inputs) {
      if let fact { known[id.index] = fact }
    }
    for id in graph.order {
      let node = graph[id]
      guard let op = op(id), let arguments = node.inputFacts(known) else { continue }
      let inference = try op.inferredAsFarAsPossible(
        arguments, outputCount: node.outputs.count, label: graph.label(of: id), op: node.op)
      for (output, fact) in zip(node.outputs, inference.outputs) {
        guard let output, let fact else { continue }
        known[output.index] = fact
      }
    }
    return try graph.outputs.map { output in
      guard let fact = known[output.index] else {
        throw DLRTError(.invalidModel, "the type of a body's output cannot be found", tensor: graph[output].name)
      }
      return fact
    }
  }
}

extension Program {
  /// The values that depend on random numbers.
  package func randomValues() -> Set<ValueID> {
    var random: Set<ValueID> = []
    for id in graph.order {
      let node = graph[id]
      let isRandom = op(id)?.isDeterministic == false || node.inputs.contains { $0.map(random.contains) ?? false }
      if isRandom { random.formUnion(node.outputs.compactMap { $0 }) }
    }
    return random
  }
}

extension Program {
  /// The graph as text, with the types and shapes that inference found.
  package var dump: String {
    var annotated = graph
    for (index, fact) in facts.enumerated() {
      guard let fact else { continue }
      annotated[ValueID(index)].type = fact.type
      annotated[ValueID(index)].shape = fact.shape
    }
    return annotated.dump()
  }
}
