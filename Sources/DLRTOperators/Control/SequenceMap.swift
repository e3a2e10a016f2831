import DLRTGraph

/// ONNX SequenceMap (17–28): runs a body for each element of a sequence.
///
/// `input_sequence`: a sequence; `additional_inputs`: sequences of as many elements, which are walked along too, or
/// tensors, which every call gets whole. Outputs: a sequence of what the body gave, for each of its outputs.
///
/// - Throws: `invalidInput` for sequences of different lengths.
package struct SequenceMap: Operator {
  package static let schema = OperatorSchema(
    "SequenceMap", versions: [17], inputs: [("input_sequence", "S"), ("additional_inputs...", "V")],
    outputs: [("out_sequence...", "S")], types: [:])

  private let body: any Subgraph
  private let ownCount: Int

  package init(_ attributes: inout AttributeReader) throws {
    body = try attributes.subgraph("body")
    let node = attributes.node
    ownCount = node.ownInputs.count
    guard body.inputCount == node.inputs.count else {
      throw DLRTError.bodyArity("inputs", expected: node.inputs.count, got: body.inputCount)
    }
    guard node.outputs.count <= body.outputCount else {
      throw DLRTError.bodyArity("outputs", expected: node.outputs.count, got: body.outputCount)
    }
  }

  package var isDeterministic: Bool { body.isDeterministic }

  package func infer(_ inference: inout Inference) throws {
    guard case .sequence = try inference.fact(0).type else {
      throw DLRTError(
        .invalidModel, "not a sequence", tensor: "input_sequence", got: "\(try inference.fact(0).type)")
    }
    let facts = try inference.facts(from: 0).enumerated().map { index, fact in
      guard index < ownCount, case .sequence(let element) = fact.type else { return fact }
      return Fact(element, nil)
    }
    for (index, fact) in try body.infer(facts).enumerated() {
      inference.setDataDependent(index, .sequence(fact.type))
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let inputCount = planning.inputs.count
    let types = planning.outputs.map { $0?.type }
    return Step(kernel: "map") { io in
      let inputs = try io.values(0..<inputCount)
      let sequences = inputs.prefix(ownCount).map { value -> [Value]? in
        if case .sequence(let elements, _) = value { elements } else { nil }
      }
      let length = sequences[0]?.count ?? 0
      for case (let index, let elements?) in sequences.enumerated() where elements.count != length {
        throw DLRTError(
          .invalidInput, "sequences have different lengths", tensor: "input \(index)", expected: "\(length)",
          got: "\(elements.count)")
      }
      var results = types.map { _ in [Value]() }
      var bytes = 0
      for position in 0..<length {
        try io.checkCancelled()
        let arguments = inputs.enumerated().map { index, value in
          index < ownCount ? sequences[index]?[position] ?? value : value
        }
        for (index, value) in try body.run(arguments, in: io.host).prefix(types.count).enumerated()
        where types[index] != nil {
          results[index].append(value)
          bytes = bytes &+ value.byteCount
        }
        try io.host.checkMemory(bytes)
      }
      for (index, type) in types.enumerated() {
        guard case .sequence(let element)? = type else { continue }
        try io.setValue(index, .sequence(results[index], of: element))
      }
    }
  }
}
