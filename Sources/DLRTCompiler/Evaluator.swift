import DLRTGraph
import DLRTOperators
import DLRTParallel
import Glibc

/// Runs one operator on known tensors: for folding at load, and for the small values from which a plan's shapes come.
package struct Evaluator {
  let environment: PlanEnvironment
  /// The most bytes that outputs and workspace may take.
  let limit: Int

  package init(environment: PlanEnvironment, limit: Int) {
    self.environment = environment
    self.limit = limit
  }

  /// - Parameters:
  ///   - inputs: facts with constants.
  ///   - outputs: concrete facts of the wanted outputs, nil for the others.
  /// - Returns: the outputs, or nil when they would exceed the limit.
  package func evaluate(_ op: any Operator, inputs: [Fact?], outputs: [Fact?]) throws -> [Tensor?]? {
    var operands: [Planning.Operand?] = []
    for fact in inputs {
      guard let fact else {
        operands.append(nil)
        continue
      }
      guard let constant = fact.constant else { return nil }
      operands.append(Planning.Operand(type: fact.type, shape: constant.shape, constant: constant))
    }
    var results: [Tensor?] = []
    var total = 0
    for fact in outputs {
      guard let fact else {
        results.append(nil)
        continue
      }
      guard let type = fact.type.dataType, let shape = fact.shape?.sizes else { return nil }
      let bytes = try Tensor.byteCount(type, shape)
      guard bytes <= limit - total else { return nil }
      total += bytes
      results.append(try Tensor(uninitialized: shape, type: type, lasts: true))
    }
    if let viewed = op.viewedInput, viewed < inputs.count, let source = inputs[viewed]?.constant,
      let made = results.first,
      let made, made.type == source.type
    {
      return [try source.reshaped(made.shape)]
    }
    // As in a plan: what is empty is made by nobody.
    let made = results.compactMap { $0 }
    if !made.isEmpty, made.allSatisfy({ $0.count == 0 }), !op.runsWithoutElements { return results }
    let wanted = results.map { $0.map { Planning.Operand(type: .tensor($0.type), shape: $0.shape) } }
    let step = try op.plannedStep(Planning(inputs: operands, outputs: wanted, environment: environment))
    guard step.workspace <= max(limit, 1 << 24) else { return nil }
    return try run(step, inputs, results)
  }

  private func run(_ step: Step, _ inputs: [Fact?], _ outputs: [Tensor?]) throws -> [Tensor?] {
    let workspace = try TensorStorage(byteCount: step.workspace)
    let host = PlainHost()
    let sources = try inputs.map { fact in try fact?.constant.map { try $0.aligned() } }
    let pointers = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: sources.count + outputs.count + 1)
    defer { pointers.deallocate() }
    for (index, source) in sources.enumerated() {
      pointers[index] = source.map { UnsafeMutableRawPointer(mutating: $0.pointer) }
    }
    for (index, output) in outputs.enumerated() { pointers[sources.count + index] = output?.mutablePointer }
    return try withExtendedLifetime((sources, outputs, workspace)) {
      let io = StepIO(
        operands: pointers, inputCount: sources.count, workspace: workspace.base, host: host, index: 0)
      try step.body(io)
      // Strings that the step made live in the host's pool, which ends here.
      return try outputs.map { tensor in try tensor.map { $0.type == .string ? try $0.copied() : $0 } }
    }
  }
}
