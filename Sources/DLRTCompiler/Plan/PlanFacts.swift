import DLRTGraph
import DLRTOperators

/// What planning finds out about each value: concrete facts, and which nodes must wait for the run.
struct PlanFacts {
  let program: Program
  let environment: PlanEnvironment
  let memoryLimit: Int
  private var facts: [Fact?]
  /// Values that exist only once the stage has run, with shapes that the data decide.
  private(set) var dataDependent: Set<ValueID> = []
  /// Nodes that cannot be planned yet.
  private(set) var waiting: Set<NodeID> = []
  /// Values whose contents a waiting node needs to know its shapes.
  private(set) var decisive: Set<ValueID> = []

  init(program: Program, environment: PlanEnvironment, memoryLimit: Int) {
    self.program = program
    self.environment = environment
    self.memoryLimit = memoryLimit
    facts = program.constants
  }

  subscript(id: ValueID) -> Fact? { facts[id.index] }

  mutating func begin(_ start: Planner.Start) {
    if let constant = start.constant {
      facts[start.value.index] = Fact(constant: constant)
    } else {
      let shape: Shape? = start.type.dataType == nil ? nil : Shape(start.shape)
      facts[start.value.index] = Fact(start.type, shape)
    }
  }

  mutating func infer(_ nodes: [NodeID]) throws {
    for id in nodes {
      do {
        try infer(id)
      } catch let error as DLRTError {
        throw error.located(node: program.graph.label(of: id), operatorName: program.graph[id].op.description)
      }
    }
  }

  private mutating func infer(_ id: NodeID) throws {
    guard let op = program.op(id) else { return }
    let node = program.graph[id]
    var inputs: [Fact?] = []
    inputs.reserveCapacity(node.inputs.count)
    for input in node.inputs {
      guard let input else {
        inputs.append(nil)
        continue
      }
      // A value that only the run gives a shape, or that a waiting node makes, makes its readers wait.
      guard let fact = facts[input.index], !dataDependent.contains(input) || fact.type.dataType == nil else {
        waiting.insert(id)
        return
      }
      inputs.append(fact)
    }
    let label = program.graph.label(of: id)
    let inference: Inference
    do {
      inference = try op.inferred(inputs, outputCount: node.outputs.count, label: label, op: node.op)
    } catch Unresolved.value(let input) {
      waiting.insert(id)
      if let value = node.input(input) { decisive.insert(value) }
      return
    } catch is Unresolved {
      waiting.insert(id)
      return
    }
    try note(inference, node, op, inputs)
  }

  private mutating func note(
    _ inference: Inference, _ node: Node, _ op: any Operator, _ inputs: [Fact?]
  ) throws {
    if try evaluate(inference, node, op, inputs) { return }
    for (index, output) in node.outputs.enumerated() {
      guard let output else { continue }
      guard let fact = inference.outputs[index] else {
        throw DLRTError(.internalError, "inference said nothing of output \(index)")
      }
      facts[output.index] = fact
      if inference.dataDependent.contains(index) || fact.type.dataType == nil {
        dataDependent.insert(output)
      } else {
        try checkSize(fact)
      }
    }
  }

  /// Buffers and steps rely on sizes whose products do not overflow.
  private func checkSize(_ fact: Fact) throws {
    guard let type = fact.type.dataType, let sizes = fact.shape?.sizes else {
      throw DLRTError(
        .limitExceeded, "the output's size is unknown or too large", got: fact.shape.map { "\($0)" })
    }
    let bytes = try Tensor.byteCount(type, sizes)
    guard bytes <= memoryLimit else {
      throw DLRTError(
        .limitExceeded, "the run needs more memory than allowed", expected: "at most \(memoryLimit) bytes",
        got: "\(bytes) bytes for one output")
    }
  }

  /// Computes outputs now when they are small and everything they depend on is known.
  private mutating func evaluate(
    _ inference: Inference, _ node: Node, _ op: any Operator, _ inputs: [Fact?]
  ) throws -> Bool {
    // Bodies run within a model's run only.
    let hasElements = inference.outputs.first??.elements != nil
    guard hasElements || inputs.allSatisfy({ $0 == nil || $0?.constant != nil }), op.isDeterministic,
      !node.hasSubgraphs, inference.dataDependent.isEmpty
    else { return false }
    if hasElements, node.outputs.count == 1, let output = node.outputs[0], let fact = inference.outputs[0],
      let tensor = try fact.tensorOfElements()
    {
      facts[output.index] = Fact(constant: tensor)
      return true
    }
    guard inputs.allSatisfy({ $0 == nil || $0?.constant != nil }) else { return false }
    let wanted = zip(node.outputs, inference.outputs).map { $0 == nil ? nil : $1 }
    guard wanted.allSatisfy({ $0 == nil || $0?.shape?.sizes != nil && $0?.type.dataType != nil }) else { return false }
    let evaluator = Evaluator(environment: environment, limit: Planner.mostEvaluatedBytes)
    guard let results = try evaluator.evaluate(op, inputs: inputs, outputs: wanted) else { return false }
    for (output, tensor) in zip(node.outputs, results) {
      if let output, let tensor { facts[output.index] = Fact(constant: tensor) }
    }
    return true
  }
}
