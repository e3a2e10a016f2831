import DLRTGraph
import DLRTOperators

/// Runs nodes whose inputs are all fixed, once, at load.
package struct FoldConstants: Pass {
  package let name = "fold-constants"
  /// A folded result may not be larger than this, or than what it was made from, and all of them together not larger
  /// than `mostExtraBytes` and the model's constants: a model of a few bytes must not become gigabytes.
  private static let mostBytes = 1 << 20
  private static let mostExtraBytes = 16 << 20
  private static let castLike = OperatorName("CastLike")

  package init() {}

  package func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let graph = program.graph
    var known: [ValueID: Fact] = [:]
    var folded: Set<NodeID> = []
    var budget = Self.mostExtraBytes &+ 2 &* program.givenBytes &- graph.constantBytes
    for id in graph.order {
      let node = graph[id]
      guard let op = program.op(id), op.isDeterministic,
        let results = try fold(node, id, op, program, known, budget, environment)
      else { continue }
      folded.insert(id)
      for (output, tensor) in zip(node.outputs, results) {
        guard let output, let tensor else { continue }
        known[output] = Fact(constant: tensor)
        budget -= tensor.byteCount
      }
      // What was only a step on the way goes.
      for case let input? in node.inputs {
        guard let made = known[input]?.constant, program.readers[input].allSatisfy(folded.contains),
          !graph.outputs.contains(input)
        else { continue }
        known[input] = nil
        budget += made.byteCount
      }
    }
    var patch = GraphPatch(graph)
    for id in graph.order where folded.contains(id) {
      for case let output? in graph[id].outputs {
        guard let tensor = known[output]?.constant else { continue }
        patch.replace(output, with: patch.constant(tensor, name: graph[output].name))
      }
      patch.remove(id)
    }
    return patch
  }

  private func fold(
    _ node: Node, _ id: NodeID, _ op: any Operator, _ program: Program, _ known: [ValueID: Fact],
    _ budget: Int, _ environment: PlanEnvironment
  ) throws -> [Tensor?]? {
    // Most nodes read something that is not fixed: they are passed by before anything is made of what is.
    let isFixed = node.inputs.allSatisfy { input in
      input.map { program.constants[$0.index] != nil || known[$0] != nil } ?? true
    }
    guard isFixed || node.op == Self.castLike else { return try foldElements(node, program) }
    if node.hasSubgraphs { return nil }
    var inputs: [Fact?] = []
    var inputBytes = 0
    for (index, input) in node.inputs.enumerated() {
      guard let input else {
        inputs.append(nil)
        continue
      }
      guard let fact = try known[input] ?? program.constants[input.index] ?? stranger(node, index, input, program)
      else {
        return try foldElements(node, program)
      }
      inputs.append(fact)
      if !node.inputs[..<index].contains(input) { inputBytes += fact.constant?.byteCount ?? 0 }
    }
    let label = program.graph.label(of: id)
    do {
      let inference = try op.inferred(inputs, outputCount: node.outputs.count, label: label, op: node.op)
      guard inference.dataDependent.isEmpty, inference.outputs.allSatisfy({ $0?.type.dataType != nil }) else {
        return nil
      }
      return try Evaluator(environment: environment, limit: min(budget, max(Self.mostBytes, inputBytes))).evaluate(
        op, inputs: inputs, outputs: zip(node.outputs, inference.outputs).map { $0 == nil ? nil : $1 })
    } catch is Unresolved {
      return nil
    } catch {
      // A node that fails on its constants may be one that no run reaches; the run will tell.
      return nil
    }
  }

  /// What stands for an input of which only the type is read, once that is known.
  private func stranger(_ node: Node, _ index: Int, _ input: ValueID, _ program: Program) throws -> Fact? {
    guard node.op == Self.castLike, index == 1, let type = program.fact(input)?.type.dataType else {
      return nil
    }
    return Fact(constant: try Tensor(zeros: [0], type: type))
  }

  /// Shapes that are fixed although the data are not.
  private func foldElements(_ node: Node, _ program: Program) throws -> [Tensor?]? {
    guard node.outputs.count == 1, let output = node.outputs[0], let fact = program.facts[output.index],
      fact.elements != nil, !node.hasSubgraphs
    else { return nil }
    return try fact.tensorOfElements().map { [$0] }
  }
}

extension Fact {
  /// The tensor that the known elements make up, if all are known.
  func tensorOfElements() throws -> Tensor? {
    guard let elements, let type = type.dataType, let shape = shape?.sizes else { return nil }
    let values = elements.compactMap(\.value)
    guard values.count == elements.count, shape.checkedProduct == values.count else { return nil }
    switch type {
    case .int64: return try Tensor(int64: values, shape: shape)
    case .int32:
      let narrow = values.compactMap { Int32(exactly: $0) }
      return narrow.count == values.count ? try Tensor(narrow, shape: shape) : nil
    default: return nil
    }
  }
}
