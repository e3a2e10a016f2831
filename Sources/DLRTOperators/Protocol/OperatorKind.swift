import DLRTGraph

/// What a registry knows of an operator: its schema, and how its nodes are read.
package struct OperatorKind: Sendable {
  private let origin: Origin

  private enum Origin: Sendable {
    case standard(any Operator.Type)
    case custom(OperatorSchema, @Sendable (inout AttributeReader) throws -> any Operator)
  }

  /// An operator that dlrt has.
  init(_ type: any Operator.Type) {
    origin = .standard(type)
  }

  /// A user's operator. It is told which version its node was written for, as dlrt knows nothing of its history.
  init(schema: OperatorSchema, make: @escaping @Sendable (inout AttributeReader) throws -> any Operator) {
    origin = .custom(schema, make)
  }

  @inline(never)
  package var schema: OperatorSchema {
    switch origin {
    case .standard(let type): type.schema
    case .custom(let schema, _): schema
    }
  }

  /// False for a user's operator.
  package var isStandard: Bool { if case .standard = origin { true } else { false } }

  /// Brings a node of an older version into the form that the operator reads.
  package func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    switch origin {
    case .standard(let type): try type.modernize(&node, version: version, in: &graph)
    case .custom: node.version = version
    }
  }

  /// Makes the operator of a node and refuses attributes that it does not read.
  func make(_ node: Node, compile: @escaping (Graph) throws -> any Subgraph) throws -> any Operator {
    try schema.checkArity(of: node)
    var reader = AttributeReader(node, compile: compile)
    let made: any Operator
    switch origin {
    case .standard(let type): made = try type.init(&reader)
    case .custom(_, let make): made = try make(&reader)
    }
    try reader.finish()
    return made
  }
}
