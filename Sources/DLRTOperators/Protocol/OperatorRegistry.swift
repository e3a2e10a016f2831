import DLRTGraph

/// Finds operators by name. Families list their operators in files of their own; a user's operators join by
/// `adding(_:)`.
package struct OperatorRegistry: Sendable {
  private var table: [OperatorName: any Operator.Type] = [:]

  package init(_ families: [[any Operator.Type]]) {
    for family in families {
      for type in family { table[type.schema.op] = type }
    }
  }

  package subscript(op: OperatorName) -> (any Operator.Type)? { table[op] }

  package var operators: [any Operator.Type] {
    table.sorted { ($0.key.domain, $0.key.name) < ($1.key.domain, $1.key.name) }.map(\.value)
  }

  package func adding(_ type: any Operator.Type) -> OperatorRegistry {
    var copy = self
    copy.table[type.schema.op] = type
    return copy
  }

  /// Makes the operator of a node; errors name the node.
  package func make(
    _ node: Node, label: String, compile: @escaping (Graph) throws -> any Subgraph
  ) throws -> any Operator {
    do {
      guard let type = table[node.op] else {
        throw DLRTError(.unsupportedModel, "operator is not implemented")
      }
      try type.schema.checkArity(of: node)
      var reader = AttributeReader(node, compile: compile)
      let made = try type.init(&reader)
      try reader.finish()
      return made
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
