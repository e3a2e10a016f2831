import DLRTGraph

/// ONNX Loop (1–25): runs a body up to `M` times while its condition holds.
///
/// `M`: one int64, without which nothing but the condition ends the loop; `cond`: one bool; `v_initial`: values of any
/// type that iterations hand on. Outputs: their final values, then what the iterations gave, stacked along a new first
/// axis. The body's own condition counts also where `cond` is absent, as in other runtimes.
///
/// - Throws: `invalidInput` when iterations give stacked outputs of different shapes.
package struct Loop: Operator {
  package static let schema = OperatorSchema(
    "Loop", versions: [1, 11, 13, 16, 19, 21, 23, 24, 25],
    inputs: [("M?", "I"), ("cond?", "B"), ("v_initial...", "V")], outputs: [("v_final_and_scan_outputs...", "V")],
    types: ["I": .int64, "B": .bool])

  private let body: any Subgraph
  /// Inputs of the operator's own, captured values not counted.
  private let ownCount: Int
  /// Values that iterations hand on.
  private let carriedCount: Int
  private let stackedCount: Int

  package init(_ attributes: inout AttributeReader) throws {
    body = try attributes.subgraph("body")
    let node = attributes.node
    ownCount = node.ownInputs.count
    carriedCount = max(0, ownCount - 2)
    stackedCount = body.outputCount - 1 - carriedCount
    let inputs = 2 + carriedCount + node.captureCount
    guard body.inputCount == inputs else {
      throw DLRTError.bodyArity("inputs", expected: inputs, got: body.inputCount)
    }
    guard stackedCount >= 0, node.outputs.count <= carriedCount + stackedCount else {
      throw DLRTError.bodyArity("outputs", expected: max(node.outputs.count, carriedCount) + 1, got: body.outputCount)
    }
  }

  package var isDeterministic: Bool { body.isDeterministic }

  private func hasOwn(_ index: Int, _ isPresent: Bool) -> Bool { index < ownCount && isPresent }

  package func infer(_ inference: inout Inference) throws {
    for index in 0..<2 where hasOwn(index, inference.has(index)) { try inference.checkSingle(index) }
    let initial = try inference.facts(from: min(2, ownCount)).prefix(carriedCount)
    let captured = try inference.facts(from: ownCount)
    // The body runs only while the condition holds, so that it sees no other.
    let holds = Fact(constant: try Tensor([true], shape: []))
    var condition: Fact?
    var slices: [Fact] = []
    let outputs = try inference.stable(Array(initial)) { carried in
      let facts = try body.infer([Fact(.int64, []), holds] + carried + captured)
      condition = facts.first
      slices = Array(facts.dropFirst(1 + carriedCount))
      return Array(facts.dropFirst())
    }
    guard condition?.type == .tensor(.bool) else {
      throw DLRTError(.invalidModel, "a body's condition is not a bool", got: condition.map { "\($0.type)" })
    }
    for (index, fact) in outputs.prefix(carriedCount).enumerated() { inference.setResult(index, fact) }
    let trips = try trips(inference, condition)
    for (index, slice) in slices.enumerated() {
      guard slice.type.dataType != nil else {
        throw DLRTError(.invalidModel, "an iteration's output is not a tensor", got: "\(slice.type)")
      }
      inference.setResult(
        carriedCount + index, Fact(slice.type, slice.shape.map { Shape([trips] + $0.dims) }))
    }
  }

  /// The number of iterations where the data do not decide it.
  private func trips(_ inference: Inference, _ condition: Fact?) throws -> Dim {
    guard hasOwn(0, inference.has(0)), let always = condition?.constant, try Value.tensor(always).condition(),
      let count = (try? inference.dims(0))?.first
    else { return .unknown }
    if hasOwn(1, inference.has(1)) {
      guard let starts = inference.constant(1) else { return .unknown }
      guard try Value.tensor(starts).condition() else { return 0 }
    }
    return count.value.map { .known(max($0, 0)) } ?? count
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let hasLimit = hasOwn(0, planning.has(0))
    let hasCondition = hasOwn(1, planning.has(1))
    let (ownCount, inputCount) = (ownCount, planning.inputs.count)
    let wanted = (0..<stackedCount).map { planning.wants(output: carriedCount + $0) }
    return Step(kernel: "loop") { io in
      let limit = hasLimit ? Int(io.input(0).load(as: Int64.self)) : Int.max
      var holds = hasCondition ? try io.value(1).condition() : true
      var carried = try io.values(min(2, ownCount)..<ownCount)
      let captured = try io.values(ownCount..<inputCount)
      var stacks = (0..<stackedCount).map { SliceStack("output \(carriedCount + $0)") }
      var iteration = 0
      while holds, iteration < limit {
        try io.checkCancelled()
        let start = try [Value.tensor(Tensor(scalar: Int64(iteration))), .tensor(Tensor([true], shape: []))]
        let results = try body.run(start + carried + captured, in: io.host)
        holds = try results[0].condition()
        carried = Array(results[1..<(1 + carriedCount)])
        var bytes = carried.reduce(0) { $0 &+ $1.byteCount }
        for index in 0..<stackedCount where wanted[index] {
          try stacks[index].append(results[1 + carriedCount + index])
          bytes = bytes &+ stacks[index].byteCount
        }
        try io.host.checkMemory(bytes)
        iteration &+= 1
      }
      for (index, value) in carried.enumerated() {
        if iteration == 0 { try io.setCopied(index, value) } else { try io.setValue(index, value) }
      }
      let empty = iteration == 0 ? try slices(carried + captured) : []
      for index in 0..<stackedCount where wanted[index] {
        try io.host.checkMemory(2 &* stacks[index].byteCount)
        let slice = iteration == 0 ? empty[index] : nil
        try io.setValue(carriedCount + index, .tensor(stacks[index].stacked(of: slice)))
      }
    }
  }

  /// What iterations would have given.
  private func slices(_ values: [Value]) throws -> [Fact] {
    let facts = try body.infer([Fact(.int64, []), Fact(.bool, [])] + values.map { Fact(of: $0) })
    return Array(facts.dropFirst(1 + carriedCount))
  }
}
