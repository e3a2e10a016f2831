import DLRTGraph

/// The derivatives of operators: from that of a node's first output to those of its inputs, nil where there is none.
enum GradientRules {
  typealias Rule = @Sendable (inout Differentiator, Node, ValueID) throws -> [ValueID?]

  static let table: [OperatorName: Rule] = {
    var rules: [OperatorName: Rule] = [:]
    for group in [arithmetic, functions, products, shapes] {
      for (name, rule) in group { rules[OperatorName(name)] = rule }
    }
    rules[SumToShape.schema.op] = { d, node, g in
      [d.expanded(g, like: try operand(node, 0)), nil]
    }
    return rules
  }()

  /// An input that the operator requires; arity is checked only when operators are made.
  private static func operand(_ node: Node, _ index: Int) throws(DLRTError) -> ValueID {
    guard let value = node.input(index) else {
      throw DLRTError(
        .invalidModel, "a required input is missing", node: node.name, operatorName: node.op.description,
        tensor: "input \(index)")
    }
    return value
  }

  private static func result(_ node: Node) throws(DLRTError) -> ValueID {
    guard let value = node.output(0) else {
      throw DLRTError(.invalidModel, "an output is missing", node: node.name, operatorName: node.op.description)
    }
    return value
  }
}

// MARK: Arithmetic

extension GradientRules {
  private static let arithmetic: [String: Rule] = [
    "Add": { d, node, g in
      [d.summed(g, like: try operand(node, 0)), d.summed(g, like: try operand(node, 1))]
    },
    "Sub": { d, node, g in
      [d.summed(g, like: try operand(node, 0)), d.summed(d.node("Neg", [g]), like: try operand(node, 1))]
    },
    "Mul": { d, node, g in
      let (a, b) = (try operand(node, 0), try operand(node, 1))
      return [d.summed(d.node("Mul", [g, b]), like: a), d.summed(d.node("Mul", [g, a]), like: b)]
    },
    "Div": { d, node, g in
      let (a, b) = (try operand(node, 0), try operand(node, 1))
      let part = d.node("Div", [g, b])
      let slope = d.node("Neg", [d.node("Mul", [part, try result(node)])])
      return [d.summed(part, like: a), d.summed(slope, like: b)]
    },
    "Pow": { d, node, g in
      let (x, exponent) = (try operand(node, 0), try operand(node, 1))
      let less = d.node("Sub", [exponent, d.number(1, like: exponent)])
      let slope = d.node("Mul", [d.node("CastLike", [exponent, x]), d.node("Pow", [x, less])])
      let grown = d.node("Mul", [try result(node), d.node("Log", [x])])
      return [
        d.summed(d.node("Mul", [g, slope]), like: x),
        d.node("CastLike", [d.summed(d.node("Mul", [g, grown]), like: exponent), exponent]),
      ]
    },
    "Sum": { d, node, g in
      try node.inputs.indices.map { d.summed(g, like: try operand(node, $0)) }
    },
    "CastLike": { d, node, g in [d.node("CastLike", [g, try operand(node, 0)]), nil] },
    "Neg": { d, _, g in [d.node("Neg", [g])] },
    "Identity": { _, _, g in [g] },
  ]

  /// Functions of one operand: the derivative's factor.
  private static let functions: [String: Rule] = [
    "Abs": slope { d, x, _ in d.node("Sign", [x]) },
    "Cos": slope { d, x, _ in d.node("Neg", [d.node("Sin", [x])]) },
    "Exp": slope { _, _, y in y },
    "Log": slope { d, x, _ in d.node("Reciprocal", [x]) },
    "Reciprocal": slope { d, _, y in d.node("Neg", [d.node("Mul", [y, y])]) },
    "Relu": slope { d, _, y in d.node("Sign", [y]) },
    "Sigmoid": slope { d, _, y in d.node("Mul", [y, d.node("Sub", [d.number(1, like: y), y])]) },
    "Sign": { _, _, _ in [nil] },
    "Sin": slope { d, x, _ in d.node("Cos", [x]) },
    "Sqrt": slope { d, _, y in d.node("Div", [d.number(0.5, like: y), y]) },
    "Tanh": slope { d, _, y in d.node("Sub", [d.number(1, like: y), d.node("Mul", [y, y])]) },
  ]

  private static func slope(
    _ factor: @escaping @Sendable (inout Differentiator, _ x: ValueID, _ y: ValueID) -> ValueID
  ) -> Rule {
    { d, node, g in [d.node("Mul", [g, factor(&d, try operand(node, 0), try result(node))])] }
  }
}

// MARK: Products and shapes

extension GradientRules {
  private static let products: [String: Rule] = [
    "MatMul": { d, node, g in
      let (a, b) = (try operand(node, 0), try operand(node, 1))
      let left = d.node("Einsum", [g, b], ["equation": .string("...ij,...kj->...ik")])
      let right = d.node("Einsum", [a, g], ["equation": .string("...ji,...jk->...ik")])
      return [d.summed(left, like: a), d.summed(right, like: b)]
    },
    "Gemm": { d, node, g in
      let (a, b) = (try operand(node, 0), try operand(node, 1))
      func product(_ first: ValueID, _ turnFirst: Bool, _ second: ValueID, _ turnSecond: Bool) -> ValueID {
        let flags: [String: Attribute] = ["transA": .int(turnFirst ? 1 : 0), "transB": .int(turnSecond ? 1 : 0)]
        let alpha = node.attributes["alpha"].map { ["alpha": $0] } ?? [:]
        return d.node("Gemm", [first, second], flags.merging(alpha) { $1 })
      }
      let (turnA, turnB) = (node.int("transA", 0) != 0, node.int("transB", 0) != 0)
      let left = turnA ? product(b, turnB, g, true) : product(g, false, b, !turnB)
      let right = turnB ? product(g, true, a, turnA) : product(a, !turnA, g, false)
      guard let c = node.input(2) else { return [left, right] }
      var scaled = g
      if case .float(let beta)? = node.attributes["beta"] { scaled = d.node("Mul", [g, d.number(beta, like: g)]) }
      return [left, right, d.summed(scaled, like: c)]
    },
  ]

  private static let shapes: [String: Rule] = [
    "Expand": { d, node, g in [d.summed(g, like: try operand(node, 0)), nil] },
    "Flatten": reshaped,
    "Reshape": reshaped,
    "Squeeze": reshaped,
    "Unsqueeze": reshaped,
    "Transpose": { d, node, g in
      guard let axes = node.ints("perm") else { return [d.node("Transpose", [g])] }
      let inverse = axes.indices.compactMap { axes.firstIndex(of: $0) }
      return [d.node("Transpose", [g], ["perm": .ints(inverse)])]
    },
    "ReduceSum": { d, node, g in [try spread(&d, node, g), nil] },
    "ReduceMean": { d, node, g in
      let (x, y) = (try operand(node, 0), try result(node))
      let count = d.node("Div", [d.node("Size", [x]), d.node("Size", [y])])
      let whole = try spread(&d, node, g)
      return [d.node("Div", [whole, d.node("CastLike", [count, x])]), nil]
    },
  ]

  private static let reshaped: Rule = { d, node, g in
    let shape = d.node("Shape", [try operand(node, 0)])
    return [d.node("Reshape", [g, shape], ["allowzero": .int(1)]), nil]
  }

  /// The gradient of a reduction's result, at every element that went into it.
  private static func spread(_ d: inout Differentiator, _ node: Node, _ g: ValueID) throws -> ValueID {
    var g = g
    if node.int("keepdims", 1) == 0, let axes = node.input(1) { g = d.node("Unsqueeze", [g, axes]) }
    return d.expanded(g, like: try operand(node, 0))
  }
}
