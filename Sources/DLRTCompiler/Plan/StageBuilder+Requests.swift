import DLRTGraph
import DLRTOperators
import DLRTParallel

// What the operators of a stage are asked.

extension StageBuilder {
  /// A node with the operands that its step is made for.
  struct Request: Sendable {
    let id: NodeID
    let planning: Planning
    /// What the step packs.
    let uses: PackedWeightList
    let outputs: [ValueID?]
    /// The input whose bytes are the output's bytes: there is nothing to do.
    let viewedInput: Int?

    /// Whether nothing is to be made but tensors without elements. Some operators would pass over all that is not there.
    var isEmpty: Bool {
      let outputs = planning.outputs.compactMap { $0 }
      return !outputs.isEmpty
        && outputs.allSatisfy { $0.type.dataType != nil && !$0.isOpen && $0.shape.contains(0) }
    }

    /// More than any machine addresses; operators make tables whose sizes follow the outputs'.
    private static let mostBytes = 1 << 47

    func checkSizes() throws(DLRTError) {
      for case let output? in planning.outputs {
        guard let type = output.type.dataType, try Tensor.byteCount(type, output.shape) > Self.mostBytes else {
          continue
        }
        throw DLRTError(.limitExceeded, "an output is too large", got: "shape \(output.shape)")
      }
    }
  }

  func request(for id: NodeID, _ group: ImageGroups.Group?) -> Request {
    let node = program.graph[id]
    let outputs = views.outputs(of: id).map { output in output.flatMap { lastUse[$0] == nil ? nil : $0 } }
    let uses = PackedWeightList()
    let images = group == nil ? [] : program.op(id).map { ImageGroups.imageInputs(of: $0, node, views) } ?? []
    // Operands have the shapes that the operator knows, wherever their elements are.
    let planning = Planning(
      inputs: node.inputs.enumerated().map { index, input in
        let given = input.map { operand($0, views.view(of: index, id)) }
        return images.contains(index) && given?.constant == nil ? given?.firstImage : given
      },
      outputs: zip(node.outputs, outputs).enumerated().map { index, output in
        guard output.1 != nil, let value = output.0 else { return nil }
        let made = operand(value, index == 0 ? views.outputView(id) : nil)
        return group == nil ? made : made.firstImage
      }, environment: environment.noting(uses))
    return Request(id: id, planning: planning, uses: uses, outputs: outputs, viewedInput: viewedInput(id, planning))
  }

  /// Whether an operator only shows its input, always or for these shapes.
  private func viewedInput(_ id: NodeID, _ planning: Planning) -> Int? {
    guard let op = program.op(id) else { return nil }
    if let viewed = op.viewedInput { return viewed }
    guard planning.outputs.count == 1, let output = planning.outputs[0], let input = planning.inputs.first ?? nil,
      output.view == nil, input.type == output.type, input.count == output.count,
      op.view(output: 0, StridedView(whole: input.shape), planning)?.isWhole(output.shape) == true
    else { return nil }
    return 0
  }

  /// Makes all steps, on several threads.
  func steps(for requests: [Request]) -> [Result<Step, any Error>] {
    if environment.pool.threads == 1 { return requests.map { step(for: $0) } }
    let results = Locked([Result<Step, any Error>?](repeating: nil, count: requests.count))
    environment.pool.run(requests.count) { index in
      let result = step(for: requests[index])
      results.withLock { $0[index] = result }
    }
    return results.withLock { $0 }.map { $0 ?? .success(.nothing) }
  }

  private func step(for request: Request) -> Result<Step, any Error> {
    guard let op = program.op(request.id), request.viewedInput == nil, !request.isEmpty || op.runsWithoutElements
    else { return .success(.nothing) }
    do {
      try request.checkSizes()
      return .success(try op.plannedStep(request.planning))
    } catch {
      return .failure(error)
    }
  }
}
