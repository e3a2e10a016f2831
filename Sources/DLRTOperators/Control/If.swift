import DLRTGraph

/// ONNX If (1–25): the outputs of one of two bodies.
///
/// `cond`: one bool. Outputs: tensors of any type, sequences, optionals; the bodies' outputs must have the same types.
package struct If: Operator {
  package static let schema = OperatorSchema(
    "If", versions: [1, 11, 13, 16, 19, 21, 23, 24, 25], inputs: [("cond", "B")], outputs: [("outputs...", "V")],
    types: ["B": .bool])

  private let onTrue: any Subgraph
  private let onFalse: any Subgraph
  private let outputCount: Int

  package init(_ attributes: inout AttributeReader) throws {
    onTrue = try attributes.subgraph("then_branch")
    onFalse = try attributes.subgraph("else_branch")
    outputCount = attributes.node.outputs.count
    for body in [onTrue, onFalse] {
      guard body.inputCount == attributes.node.captureCount else {
        throw DLRTError.bodyArity("inputs", expected: 0, got: body.inputCount - attributes.node.captureCount)
      }
      guard body.outputCount == outputCount else {
        throw DLRTError.bodyArity("outputs", expected: outputCount, got: body.outputCount)
      }
    }
  }

  package var isDeterministic: Bool { onTrue.isDeterministic && onFalse.isDeterministic }

  package func infer(_ inference: inout Inference) throws {
    try inference.checkSingle(0)
    let captured = try inference.facts(from: 1)
    if let condition = inference.constant(0) {
      let facts = try body(Value.tensor(condition).condition()).infer(captured)
      for (index, fact) in facts.enumerated() { inference.setResult(index, fact) }
      return
    }
    // A branch that cannot take the inputs as they are is one that the condition keeps from being run; the other tells.
    let branches = [onTrue, onFalse].map { branch in Result { try branch.infer(captured) } }
    let possible = branches.compactMap { try? $0.get() }
    guard let first = possible.first, let second = possible.last else {
      _ = try branches[0].get()
      return
    }
    for (index, (a, b)) in zip(first, second).enumerated() {
      guard a.type == b.type else {
        throw DLRTError(
          .invalidModel, "the branches' outputs differ in type", tensor: "output \(index)", expected: "\(a.type)",
          got: "\(b.type)")
      }
      inference.setResult(index, Fact(a.type, Inference.common(a.shape, b.shape)))
    }
  }

  private func body(_ condition: Bool) -> any Subgraph { condition ? onTrue : onFalse }

  package func plan(_ planning: inout Planning) throws -> Step {
    let inputCount = planning.inputs.count
    return Step(kernel: "if") { io in
      let results = try body(io.value(0).condition()).run(io.values(1..<inputCount), in: io.host)
      for (index, value) in results.enumerated() { try io.setValue(index, value) }
    }
  }
}
