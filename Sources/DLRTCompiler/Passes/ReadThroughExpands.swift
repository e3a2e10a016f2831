import DLRTGraph
import DLRTOperators

/// Lets elementwise operators of several operands read what an Expand reads where their result is the same: they broadcast
/// by themselves, and the expanded tensor need not be made. PyTorch writes an Expand between a norm and the division by it.
struct ReadThroughExpands: Pass {
  let name = "read-through-expands"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      if let node = readingThrough(id, program) { patch.update(id, node) }
    }
    return patch
  }

  /// The node with the sources of Expands in the place of operands; nil where it needs all that it has.
  private func readingThrough(_ id: NodeID, _ program: Program) -> Node? {
    var node = program.graph[id]
    // Where an attribute says where the operands meet, that depends on their ranks.
    guard node.inputs.count > 1, let op = program.op(id), op.broadcasts, node.attributes["axis"] == nil,
      let result = program.fact(node.output(0))?.shape
    else { return nil }
    var changed = false
    for (index, operand) in node.inputs.enumerated() {
      guard let source = source(of: operand, for: result, program) else { continue }
      var inputs = node.inputs
      inputs[index] = source
      let inference = try? op.inferredAsFarAsPossible(
        inputs.map { program.fact($0) }, outputCount: 1, label: node.name, op: node.op)
      guard let shape = inference?.outputs[0]?.shape, shape.provablyEquals(result) else { continue }
      node.inputs = inputs
      changed = true
    }
    return changed ? node : nil
  }

  /// What an Expand makes an operand of, if each of its axes is of size 1 or the size of the result's; nil for an operand that
  /// is an output of the graph, and therefore there anyway.
  private func source(of operand: ValueID?, for result: Shape, _ program: Program) -> ValueID? {
    guard let operand, let producer = program.producers[operand], !program.graph.outputs.contains(operand),
      program.graph[producer].op == OperatorName("Expand"), let source = program.graph[producer].input(0),
      let shape = program.fact(source)?.shape,
      zip(shape.dims.reversed(), result.dims.reversed()).allSatisfy({ $0 == 1 || $0.provablyEquals($1) })
    else { return nil }
    return source
  }
}

extension Operator {
  /// Whether it is elementwise and its operands broadcast.
  fileprivate var broadcasts: Bool {
    switch elementwiseKernel {
    case .binary, .variadic: true
    case .unary, nil: false
    }
  }
}
