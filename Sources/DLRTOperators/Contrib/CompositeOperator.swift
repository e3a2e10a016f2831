import DLRTGraph

/// An operator that import replaces by a small graph of others, so that every pass and kernel serves it and none has to
/// know it.
package protocol CompositeOperator: Operator {
  /// Adds the nodes that stand for the expansion's node, the last of which make its outputs.
  static func expand(_ expansion: inout Expansion) throws
}

extension CompositeOperator {
  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    try schema.expand(&node, in: &graph, expand)
  }

  package init(_ attributes: inout AttributeReader) throws {
    throw DLRTError(.internalError, "the operator has been replaced at import")
  }

  package func infer(_ inference: inout Inference) throws {}
  package func plan(_ planning: inout Planning) throws -> Step { .nothing }
}

extension OperatorSchema {
  // Out of line: there are dozens of composites.
  @inline(never)
  fileprivate func expand(_ node: inout Node, in graph: inout Graph, _ body: (inout Expansion) throws -> Void) throws {
    try checkArity(of: node)
    var expansion = Expansion(node, in: graph)
    swap(&graph, &expansion.graph)
    defer { swap(&graph, &expansion.graph) }
    try body(&expansion)
    node = try expansion.finish()
  }

  /// An operator of ONNX Runtime's own domain.
  package static func microsoft(
    _ name: String, _ inputs: [(String, String)], _ outputs: [(String, String)], _ types: OperatorSchema.Constraints
  ) -> OperatorSchema {
    OperatorSchema(
      name, domain: OperatorName.microsoftDomain, versions: [1], inputs: inputs, outputs: outputs, types: types)
  }
}

extension OperatorName {
  package static let microsoftDomain = "com.microsoft"
}
