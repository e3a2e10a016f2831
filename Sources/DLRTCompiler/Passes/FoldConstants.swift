import DLRTGraph
import DLRTOperators

/// Runs nodes whose inputs are all fixed, once, at load.
package struct FoldConstants: Pass {
  package let name = "fold-constants"
  /// What a node computes from sizes, in numbers that inference does not follow, may tell the sizes of what comes after it:
  /// "same" padding as PyTorch computes it does so at each convolution.
  package let repeats = true
  /// A folded result may not be larger than this, or than what it was made from, or than the program has room for.
  private static let mostBytes = 1 << 20
  private static let castLike = OperatorName("CastLike")

  package init() {}

  package func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let graph = program.graph
    var known = KnownFacts(graph)
    var folded = inferred(program)
    var budget = program.spareBytes
    var isNeeded = ValueSet(graph)
    for output in graph.outputs { isNeeded.insert(output) }
    for id in graph.order where !folded[id.index] {
      for case let input? in graph[id].inputs { isNeeded.insert(input) }
    }
    for id in graph.order {
      let node = graph[id]
      if folded[id.index] {
        // What only others need that are inferred too goes with them.
        guard let output = node.outputs[0], isNeeded.contains(output),
          let tensor = try program.facts[output.index]?.tensorOfElements()
        else { continue }
        known[output] = Fact(constant: tensor)
        budget -= tensor.byteCount
      } else {
        guard let op = program.op(id), op.isDeterministic,
          let results = try fold(node, id, op, program, known, budget, environment)
        else { continue }
        folded[id.index] = true
        for (output, tensor) in zip(node.outputs, results) {
          guard let output, let tensor else { continue }
          known[output] = Fact(constant: tensor)
          budget -= tensor.byteCount
        }
      }
      // What was only a step on the way goes.
      for case let input? in node.inputs {
        guard let made = known[input]?.constant, program.readers[input].allSatisfy({ folded[$0.index] }),
          !graph.outputs.contains(input)
        else { continue }
        known[input] = nil
        budget += made.byteCount
      }
    }
    var patch = GraphPatch(graph)
    for id in graph.order where folded[id.index] {
      for case let output? in graph[id].outputs {
        guard let tensor = known[output]?.constant else { continue }
        patch.replace(output, with: patch.constant(tensor, name: graph[output].name))
      }
      patch.remove(id)
    }
    return patch
  }

  /// By node: whether inference has found all elements of its output, as it does for the shapes of fixed sizes that many
  /// exporters compute node by node. What reads constants alone is computed.
  private func inferred(_ program: Program) -> [Bool] {
    var result = [Bool](repeating: false, count: program.graph.nodeTable.count)
    var isComputed = ValueSet(program.graph)
    for id in program.graph.order {
      let node = program.graph[id]
      let readsData = node.inputs.contains { input in
        input.map { program.constants[$0.index] == nil && !isComputed.contains($0) } ?? false
      }
      guard readsData || program.op(id)?.isDeterministic == false else {
        for case let output? in node.outputs { isComputed.insert(output) }
        continue
      }
      guard node.outputs.count == 1, let output = node.outputs[0], program.facts[output.index]?.saysAll == true,
        !node.hasSubgraphs, program.op(id)?.isDeterministic == true
      else { continue }
      result[id.index] = true
    }
    return result
  }

  private func fold(
    _ node: Node, _ id: NodeID, _ op: any Operator, _ program: Program, _ known: KnownFacts,
    _ budget: Int, _ environment: PlanEnvironment
  ) throws -> [Tensor?]? {
    // Most nodes read something that is not fixed: they are passed by before anything is made of what is.
    let isFixed = node.inputs.allSatisfy { input in
      input.map { program.constants[$0.index] != nil || known[$0] != nil } ?? true
    }
    guard isFixed || node.op == Self.castLike, !node.hasSubgraphs else { return nil }
    var inputs: [Fact?] = []
    var inputBytes = 0
    for (index, input) in node.inputs.enumerated() {
      guard let input else {
        inputs.append(nil)
        continue
      }
      guard let fact = try known[input] ?? program.constants[input.index] ?? stranger(node, index, input, program)
      else { return nil }
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
}

/// Facts of the values that were folded, which are few of many.
private struct KnownFacts {
  private var places: ValueTable<Int32>
  private var facts: [Fact?] = []

  init(_ graph: Graph) { places = ValueTable(graph) }

  subscript(value: ValueID) -> Fact? {
    get { places[value].flatMap { facts[Int($0)] } }
    set {
      if let place = places[value] {
        facts[Int(place)] = newValue
      } else {
        places[value] = Int32(facts.count)
        facts.append(newValue)
      }
    }
  }
}

extension Fact {
  /// Whether the known elements make up a tensor.
  var saysAll: Bool {
    guard let elements, let shape = shape?.sizes, shape.checkedProduct == elements.count else { return false }
    switch type.dataType {
    case .int64: return elements.allSatisfy { $0.value != nil }
    case .int32: return elements.allSatisfy { $0.value.map { Int32(exactly: $0) != nil } ?? false }
    default: return false
    }
  }

  /// The tensor that the known elements make up, if all are known.
  func tensorOfElements() throws -> Tensor? {
    guard saysAll, let values = elements?.compactMap(\.value), let shape = shape?.sizes else { return nil }
    if type.dataType == .int64 { return try Tensor(int64: values, shape: shape) }
    return try Tensor(values.map { Int32(truncatingIfNeeded: $0) }, shape: shape)
  }
}
