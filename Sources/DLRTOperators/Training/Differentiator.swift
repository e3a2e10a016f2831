import DLRTGraph

/// Reverse-mode differentiation: appends the nodes of a backward pass to a graph.
struct Differentiator {
  private(set) var graph: Graph
  private let label: String
  private let producers: ValueTable<NodeID>

  /// - Parameter label: the name that the new nodes get.
  init(_ graph: Graph, label: String) {
    self.graph = graph
    self.label = label
    producers = graph.producers()
  }

  /// The tensor of a name.
  func find(_ name: String) throws(DLRTError) -> ValueID {
    guard let index = graph.values.lastIndex(where: { $0.name == name }) else {
      throw DLRTError(.invalidModel, "nothing before this node defines the tensor", tensor: name)
    }
    return ValueID(index)
  }

  /// Adds a node with one output.
  mutating func node(
    _ op: String, domain: String = "", _ inputs: [ValueID?], _ attributes: [String: Attribute] = [:]
  ) -> ValueID {
    let output = graph.addValue(Graph.Value(name: ""))
    graph.addNode(
      Node(OperatorName(op, domain: domain), name: label, attributes: attributes, inputs: inputs, outputs: [output]))
    return output
  }

  mutating func name(_ value: ValueID, as output: ValueID) {
    graph.addNode(Node(Identity.schema.op, name: label, inputs: [value], outputs: [output]))
  }
}

// MARK: The forward part

extension Differentiator {
  /// The nodes between some values and a target, in order; only those that the target depends on.
  private func path(to target: ValueID, from starts: Set<ValueID>) -> [NodeID] {
    var found: Set<NodeID> = []
    var open = [target]
    while let value = open.popLast() {
      guard !starts.contains(value), let id = producer(of: value), found.insert(id).inserted else { continue }
      for case let input? in graph[id].inputs { open.append(input) }
    }
    return graph.order.filter { found.contains($0) }
  }

  /// Nodes may have been added since `producers` was made.
  private func producer(of value: ValueID) -> NodeID? {
    producers[value] ?? graph.order.last { graph[$0].outputs.contains(value) }
  }

  /// The target as a function of other values: nodes that depend on replaced values are repeated.
  mutating func restate(_ target: ValueID, at replacements: [ValueID: ValueID]) throws -> ValueID {
    var map = replacements.filter { $0.key != $0.value }
    guard !map.isEmpty else { return target }
    for id in path(to: target, from: Set(replacements.keys)) {
      var copy = graph[id]
      guard copy.inputs.contains(where: { $0.map { map[$0] != nil } ?? false }) else { continue }
      copy.inputs = copy.inputs.map { input in input.map { map[$0] ?? $0 } }
      copy.outputs = copy.outputs.map { output in
        guard let output else { return nil }
        let repeated = graph.addValue(Graph.Value(name: "", type: graph[output].type))
        map[output] = repeated
        return repeated
      }
      graph.addNode(copy)
    }
    return map[target] ?? target
  }
}

// MARK: The backward part

extension Differentiator {
  /// Derivatives of the sum of a tensor's elements.
  mutating func differentiate(
    _ target: ValueID, with variables: [ValueID], stoppingAt starts: [ValueID]
  ) throws -> [ValueID] {
    let nodes = path(to: target, from: Set(starts))
    var dependent = Set(variables)
    for id in nodes where graph[id].inputs.contains(where: { $0.map(dependent.contains) ?? false }) {
      for case let output? in graph[id].outputs { dependent.insert(output) }
    }
    var gradients: [ValueID: ValueID] = [target: filled(1, like: target)]
    for id in nodes.reversed() {
      let node = graph[id]
      guard let output = node.outputs.first ?? nil, dependent.contains(output), let gradient = gradients[output] else {
        continue
      }
      guard let rule = GradientRules.table[node.op], node.captureCount == 0 else {
        throw DLRTError(
          .unsupportedModel, "there is no rule for the derivative of this operator", node: graph.label(of: id),
          operatorName: node.op.description)
      }
      for (input, part) in zip(node.inputs, try rule(&self, node, gradient)) {
        guard let input, let part, dependent.contains(input) else { continue }
        if let other = gradients[input] {
          gradients[input] = self.node("Add", [other, part])
        } else {
          gradients[input] = part
        }
      }
    }
    return variables.map { gradients[$0] ?? filled(0, like: $0) }
  }

  /// A scalar of a value's type.
  mutating func number(_ number: Float, like value: ValueID) -> ValueID {
    guard let tensor = try? Tensor(scalar: number) else { return value }
    return node("CastLike", [graph.addConstant(tensor), value])
  }

  /// A tensor of a value's type and shape.
  mutating func filled(_ number: Float, like value: ValueID) -> ValueID {
    let scalar = self.number(number, like: value)
    return expanded(scalar, like: value)
  }

  mutating func expanded(_ value: ValueID, like other: ValueID) -> ValueID {
    node("Expand", [value, node("Shape", [other])])
  }

  /// A gradient with respect to an operand that was broadcast.
  mutating func summed(_ gradient: ValueID, like operand: ValueID) -> ValueID {
    node("SumToShape", domain: OperatorName.internalDomain, [gradient, operand])
  }
}
