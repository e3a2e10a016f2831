import DLRTGraph

/// What a registry knows of an operator: its schema, and how its nodes are read.
package struct OperatorKind: Sendable {
  package let schema: OperatorSchema
  /// False for a user's operator.
  package let isStandard: Bool
  private let make: @Sendable (inout AttributeReader) throws -> any Operator
  private let modernize: @Sendable (inout Node, Int, inout Graph) throws -> Void

  /// An operator that dlrt has.
  init(_ type: any Operator.Type) {
    schema = type.schema
    isStandard = true
    make = { try type.init(&$0) }
    modernize = { try type.modernize(&$0, version: $1, in: &$2) }
  }

  /// A user's operator. It is told which version its node was written for, as dlrt knows nothing of its history.
  init(schema: OperatorSchema, make: @escaping @Sendable (inout AttributeReader) throws -> any Operator) {
    self.schema = schema
    isStandard = false
    self.make = make
    modernize = { node, version, _ in node.version = version }
  }

  /// Brings a node of an older version into the form that the operator reads.
  package func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    try modernize(&node, version, &graph)
  }

  /// Makes the operator of a node and refuses attributes that it does not read.
  func make(_ node: Node, compile: @escaping (Graph) throws -> any Subgraph) throws -> any Operator {
    try schema.checkArity(of: node)
    var reader = AttributeReader(node, compile: compile)
    let made = try make(&reader)
    try reader.finish()
    return made
  }
}
