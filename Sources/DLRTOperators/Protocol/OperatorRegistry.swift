import DLRTGraph

/// Operators by their full names, which their schemas repeat.
///
/// With the names at hand, a model's load makes the schemas of those operators only that it uses: all together lie all
/// over the library's code, of which a process would then have every page in memory.
package struct OperatorFamily: ExpressibleByDictionaryLiteral, Sendable {
  let entries: [(String, any Operator.Type)]

  package init(dictionaryLiteral entries: (String, any Operator.Type)...) { self.entries = entries }
}

/// Finds operators by name. Families list their operators in files of their own; a user's operators join by
/// `adding(_:)`.
package struct OperatorRegistry: Sendable {
  private var table: [OperatorName: OperatorKind] = [:]

  package init(_ families: [OperatorFamily]) {
    table.reserveCapacity(families.reduce(0) { $0 + $1.entries.count })
    for family in families {
      for (name, type) in family.entries { table[OperatorName(description: name)] = OperatorKind(type) }
    }
  }

  package subscript(op: OperatorName) -> OperatorKind? { table[op] }

  /// All operators by domain and name.
  package var kinds: [OperatorKind] {
    table.sorted { ($0.key.domain, $0.key.name) < ($1.key.domain, $1.key.name) }.map(\.value)
  }

  package func adding(_ kinds: [OperatorKind]) -> OperatorRegistry {
    var copy = self
    for kind in kinds { copy.table[kind.schema.op] = kind }
    return copy
  }

  /// Makes the operator of a node; errors name the node.
  package func make(
    _ node: Node, label: String, compile: @escaping (Graph) throws -> any Subgraph
  ) throws -> any Operator {
    do {
      guard let kind = table[node.op] else {
        throw DLRTError(.unsupportedModel, "operator is not implemented")
      }
      return try kind.make(node, compile: compile)
    } catch let error as DLRTError {
      throw error.located(node: label, operatorName: node.op.description)
    }
  }
}

extension Operator {
  /// Checks input types against the schema, then infers; errors name the node.
  package func inferred(_ inputs: [Fact?], outputCount: Int, label: String, op: OperatorName) throws -> Inference {
    var inference = Inference(schema: Self.schema, inputs: inputs, outputCount: outputCount)
    do {
      try Self.schema.checkTypes(inputs)
      try infer(&inference)
      return inference
    } catch let error as DLRTError {
      throw error.located(node: label, operatorName: op.description)
    }
  }
}
