import DLRTGraph
import Glibc

/// A user's operator as the engine sees it. Whatever the user's code states is checked here, and what it throws becomes
/// a `DLRTError`, to which the caller adds node and operator.
struct CustomNode: Operator {
  /// What all of them share; each has a schema of its own in the registry.
  static let schema = OperatorSchema(
    "", domain: OperatorName.internalDomain, versions: [1], inputs: [("inputs...", "any*")],
    outputs: [("outputs...", "any*")], types: [:])

  private let custom: any CustomOperator
  let isDeterministic: Bool
  var runsWithoutElements: Bool { true }

  init(_ attributes: inout AttributeReader) throws {
    throw DLRTError(.internalError, "a user's operator is made by its own registration")
  }

  init(
    _ signature: OperatorSignature, _ reader: inout AttributeReader,
    _ make: (inout OperatorAttributes) throws -> any CustomOperator
  ) throws {
    let node = reader.node
    guard node.captureCount == 0, node.subgraphs.isEmpty else {
      throw DLRTError(.unsupportedModel, "a user's operator cannot have graphs as attributes")
    }
    guard node.outputs.count >= signature.outputs.lowerBound else {
      throw DLRTError(
        .invalidModel, "too few outputs", expected: "at least \(signature.outputs.lowerBound)",
        got: "\(node.outputs.count)")
    }
    var attributes = OperatorAttributes(reader)
    custom = try Self.reported { try make(&attributes) }
    reader = attributes.reader
    isDeterministic = signature.isDeterministic
  }

  func infer(_ inference: inout Inference) throws {
    var isConcrete = true
    let inputs = try inference.inputs.indices.map { index -> TensorDescription? in
      guard inference.has(index) else { return nil }
      let shape = try inference.shape(index)
      if shape.sizes == nil { isConcrete = false }
      return TensorDescription(try inference.type(index), shape, constant: inference.constant(index))
    }
    let outputs = try Self.reported { try custom.infer(inputs) }
    guard outputs.count >= inference.outputCount else {
      throw DLRTError(
        .operatorFailed, "infer describes too few outputs", expected: "\(inference.outputCount)",
        got: "\(outputs.count)")
    }
    for (index, output) in outputs.prefix(inference.outputCount).enumerated() {
      if let bad = output.shape?.dims.first(where: { ($0.value ?? 0) < 0 }) {
        throw DLRTError(.operatorFailed, "infer states a negative size", tensor: "output \(index)", got: "\(bad)")
      }
      if isConcrete, output.shape?.sizes == nil {
        inference.setDataDependent(index, .tensor(output.type), output.shape?.onlyNumbers)
      } else {
        inference.set(index, Fact(.tensor(output.type), output.shape))
      }
    }
  }

  func plan(_ planning: inout Planning) throws -> Step {
    func form(_ operand: Planning.Operand?) -> OperatorCall.Form? {
      operand.flatMap { operand in operand.type.dataType.map { OperatorCall.Form(type: $0, shape: operand.shape) } }
    }
    let forms = OperatorCall.Forms(inputs: planning.inputs.map(form), outputs: try outputForms(planning))
    return Step(kernel: "custom") { [custom] io in
      let run = OperatorCall(io, forms)
      run.clearStrings()
      try Self.reported { try custom.compute(run) }
      try run.checkOutputs()
    }
  }

  /// The outputs that are wanted, with what the user said of those whose sizes the data decide.
  private func outputForms(_ planning: Planning) throws -> [OperatorCall.Form?] {
    let inputs = planning.inputs.map { operand -> TensorDescription? in
      guard let operand, let type = operand.type.dataType else { return nil }
      return TensorDescription(type, Shape(operand.shape), constant: operand.constant)
    }
    let described = try Self.reported { try custom.infer(inputs) }
    return try planning.outputs.enumerated().map { index, operand in
      guard let operand else { return nil }
      let sizes = index < described.count ? described[index].shape?.sizes : nil
      guard index < described.count, operand.type == .tensor(described[index].type),
        operand.isOpen ? sizes == nil : sizes == operand.shape
      else {
        throw DLRTError(.operatorFailed, "infer changes its mind about an output", tensor: "output \(index)")
      }
      let type = described[index].type
      guard operand.isOpen else { return OperatorCall.Form(type: type, shape: operand.shape) }
      return OperatorCall.Form(type: type, open: described[index].shape)
    }
  }

  /// Runs the user's code; what is no `DLRTError` becomes one.
  private static func reported<R>(_ body: () throws -> R) throws -> R {
    do {
      return try body()
    } catch let error as DLRTError {
      throw error
    } catch {
      throw DLRTError(.operatorFailed, "\(error)")
    }
  }
}

extension Shape {
  /// Symbols mean nothing outside of the model.
  fileprivate var onlyNumbers: Shape { Shape(dims.map { $0.value == nil ? .unknown : $0 }) }
}
