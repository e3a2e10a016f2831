import DLRTGraph

/// What ONNX's specification says of an operator: name, versions, inputs, outputs and their types.
///
/// A formal's name may end in `?` (optional) or `...` (variadic, last only). Its type is the name of a constraint in
/// `types`; formals under one constraint share one element type, unless the constraint's name ends in `*`.
/// A formal whose constraint is not in `types` takes any value, containers too.
package struct OperatorSchema: Sendable {
  package struct Formal: Sendable {
    /// The name with its mark.
    private let text: String
    package let constraint: String

    init(_ given: (String, String)) { (text, constraint) = given }

    package var isOptional: Bool { text.utf8.last == UInt8(ascii: "?") }
    package var isVariadic: Bool { text.utf8.last == UInt8(ascii: ".") }
    package var name: String { String(text.dropLast(isOptional ? 1 : isVariadic ? 3 : 0)) }
  }

  /// The element types that each constraint's name stands for: a few pairs.
  package struct Constraints: ExpressibleByDictionaryLiteral, Sendable {
    private let given: [(String, TypeSet)]

    // Out of line: there are hundreds of schemas.
    @inline(never)
    package init(dictionaryLiteral pairs: (String, TypeSet)...) { given = pairs }

    package var pairs: [(name: String, types: TypeSet)] { given.map { (name: $0, types: $1) } }

    package subscript(name: String) -> TypeSet? { given.first { $0.0 == name }?.1 }
  }

  /// Every inference is handed its schema, which therefore is one reference.
  private final class Body: Sendable {
    let op: OperatorName
    let versions: [Int]
    // As they are written: a load reads few of them.
    let inputs: [(String, String)]
    let outputs: [(String, String)]
    let types: Constraints

    init(
      _ op: OperatorName, _ versions: [Int], _ inputs: [(String, String)], _ outputs: [(String, String)],
      _ types: Constraints
    ) {
      (self.op, self.versions, self.inputs, self.outputs, self.types) = (op, versions, inputs, outputs, types)
    }
  }

  private let body: Body

  @inline(never)
  package init(
    _ name: String, domain: String = "", versions: [Int], inputs: [(String, String)], outputs: [(String, String)],
    types: Constraints
  ) {
    body = Body(OperatorName(name, domain: domain), versions, inputs, outputs, types)
  }

  package var op: OperatorName { body.op }
  /// The operator-set versions in which the operator changed and whose models we read, oldest first.
  package var versions: [Int] { body.versions }
  package var types: Constraints { body.types }
  package var inputs: [Formal] { body.inputs.map(Formal.init) }
  package var outputs: [Formal] { body.outputs.map(Formal.init) }

  package func input(_ index: Int) -> Formal? {
    if index < body.inputs.count { return Formal(body.inputs[index]) }
    if let last = body.inputs.last.map(Formal.init), last.isVariadic { return last }
    return nil
  }
}

extension OperatorSchema {
  /// Whether every node makes an output, be it read or not; then its step has memory for it.
  package func alwaysMakes(output index: Int) -> Bool {
    guard index < body.outputs.count else { return false }
    let formal = Formal(body.outputs[index])
    return !formal.isOptional && !formal.isVariadic
  }

  /// Gives the outputs that every node makes a value where the model has no name for them.
  package func completeOutputs(of node: inout Node, in graph: inout Graph) {
    for index in body.outputs.indices where alwaysMakes(output: index) {
      while node.outputs.count <= index { node.outputs.append(nil) }
      if node.outputs[index] == nil { node.outputs[index] = graph.addValue(Graph.Value(name: "")) }
    }
  }

  /// Checks the number and presence of inputs and outputs.
  package func checkArity(of node: Node) throws(DLRTError) {
    let own = node.ownInputs
    let (inputs, outputs) = (inputs, outputs)
    guard own.count <= inputs.count || inputs.last?.isVariadic == true else {
      throw DLRTError(
        .invalidModel, "too many inputs", expected: "at most \(inputs.count)", got: "\(own.count)")
    }
    for (index, formal) in inputs.enumerated() where !formal.isOptional && !formal.isVariadic {
      guard index < own.count, own[index] != nil else {
        throw DLRTError(.invalidModel, "a required input is missing", tensor: formal.name)
      }
    }
    guard node.outputs.count <= outputs.count || outputs.last?.isVariadic == true else {
      throw DLRTError(
        .invalidModel, "too many outputs", expected: "at most \(outputs.count)", got: "\(node.outputs.count)")
    }
  }

  /// Checks the inputs' types against the constraints.
  package func checkTypes(_ facts: [Fact?]) throws(DLRTError) {
    // Most operators have one constraint that binds.
    var first: (constraint: String, type: DataType)?
    var others: [String: DataType] = [:]
    for (index, fact) in facts.enumerated() {
      guard let fact, let formal = input(index), let allowed = types[formal.constraint] else { continue }
      guard case .tensor(let type) = fact.type else {
        throw DLRTError(.invalidModel, "not a tensor", tensor: formal.name, expected: "tensor", got: "\(fact.type)")
      }
      guard allowed.contains(type) else {
        throw DLRTError(
          .unsupportedModel, "element type is not supported", tensor: formal.name, expected: "one of \(allowed)",
          got: type.name)
      }
      if formal.constraint.utf8.last == UInt8(ascii: "*") { continue }
      let isFirst = first.map { $0.constraint == formal.constraint } ?? true
      if let other = isFirst ? first?.type : others[formal.constraint], other != type {
        throw DLRTError(
          .invalidModel, "inputs of one type differ", tensor: formal.name, expected: other.name, got: type.name)
      }
      if isFirst { first = (formal.constraint, type) } else { others[formal.constraint] = type }
    }
  }
}
