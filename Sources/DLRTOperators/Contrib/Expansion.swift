import DLRTGraph

/// What a composite operator writes its graph to: the node that is replaced, its attributes, and the nodes so far.
package struct Expansion {
  var graph = Graph()
  package let node: Node
  package var attributes: AttributeReader
  private var nodes: [Node] = []
  /// What messages call the nodes: as they call the one that is replaced.
  private let label: String

  /// - Parameter graph: where the node is.
  init(_ node: Node, in graph: Graph) {
    self.node = node
    let output = node.outputs.lazy.compactMap { $0 }.first.map { graph[$0].name }
    label = node.name.isEmpty ? output ?? "" : node.name
    attributes = AttributeReader(node) { _ in throw DLRTError(.internalError, "a composite has no bodies") }
  }

  /// The last node, after the others have been added to the graph.
  mutating func finish() throws -> Node {
    try attributes.finish()
    guard let last = nodes.popLast() else { throw DLRTError(.internalError, "nothing replaces the operator") }
    for node in nodes { graph.addNode(node) }
    return last
  }
}

// MARK: The node

extension Expansion {
  package func has(_ index: Int) -> Bool { node.input(index) != nil }
  package func wants(_ output: Int) -> Bool { node.output(output) != nil }

  /// An input; what is optional has to be asked for by `optional`.
  package func input(_ index: Int) throws(DLRTError) -> ValueID {
    guard let value = node.input(index) else {
      throw DLRTError(.invalidModel, "a required input is missing", tensor: "input \(index)")
    }
    return value
  }

  package func optional(_ index: Int) -> ValueID? { node.input(index) }

  /// The element type of a value, where the file says it.
  package func type(_ value: ValueID) -> DataType? { graph[value].type?.dataType }

  /// The sizes of a value's axes, where the file says them.
  package func shape(_ value: ValueID) -> Shape? { graph[value].shape }

  package func refuse(_ index: Int, _ reason: String) throws(DLRTError) {
    guard has(index) else { return }
    throw DLRTError(.unsupportedModel, reason, tensor: "input \(index)")
  }

  /// A number of heads or the like, which must be positive.
  package mutating func positive(_ name: String) throws(DLRTError) -> Int {
    let value = try attributes.int(name)
    // The bound keeps products of such numbers from overflowing.
    guard value > 0, value <= 1 << 24 else {
      throw DLRTError(.invalidModel, "out of range", tensor: name, expected: "1...\(1 << 24)", got: "\(value)")
    }
    return value
  }
}

// MARK: New nodes

extension Expansion {
  package mutating func constant(_ tensor: Tensor) -> ValueID { graph.addConstant(tensor) }

  package mutating func ints(_ values: [Int]) throws -> ValueID { constant(try Tensor(int64: values)) }

  package mutating func float(_ value: Float) throws -> ValueID { constant(try Tensor(scalar: value)) }

  /// A number of the type of another value.
  package mutating func number(_ value: Float, like other: ValueID) throws -> ValueID {
    let number = try float(value)
    return type(other) == .float32 ? number : add("CastLike", [number, other])
  }

  /// Adds a node with one output.
  package mutating func add(
    _ op: String, domain: String = "", _ inputs: [ValueID?], _ attributes: [String: Attribute] = [:]
  ) -> ValueID {
    let result = graph.addValue(Graph.Value(name: ""))
    append(op, domain: domain, inputs, attributes, [result])
    return result
  }

  /// Adds a node with several outputs.
  package mutating func parts(
    _ count: Int, _ op: String, domain: String = "", _ inputs: [ValueID?], _ attributes: [String: Attribute] = [:]
  ) -> [ValueID] {
    let results = (0..<count).map { _ in graph.addValue(Graph.Value(name: "")) }
    append(op, domain: domain, inputs, attributes, results)
    return results
  }

  /// Adds the node that makes the first outputs.
  package mutating func result(
    _ op: String, domain: String = "", _ inputs: [ValueID?], _ attributes: [String: Attribute] = [:]
  ) {
    append(op, domain: domain, inputs, attributes, [node.output(0)])
  }

  /// Adds a node that makes some of the outputs, given by their indices; -1 for what nobody reads.
  package mutating func results(
    _ outputs: [Int], _ op: String, domain: String = "", _ inputs: [ValueID?], _ attributes: [String: Attribute] = [:]
  ) {
    var results = outputs.map { $0 < 0 ? nil : node.output($0) }
    while case .some(.none) = results.last { results.removeLast() }
    if !results.isEmpty { append(op, domain: domain, inputs, attributes, results) }
  }

  /// Adds a node whose outputs are given.
  package mutating func append(
    _ op: String, domain: String = "", _ inputs: [ValueID?], _ attributes: [String: Attribute], _ outputs: [ValueID?]
  ) {
    var inputs = inputs
    while case .some(.none) = inputs.last { inputs.removeLast() }
    nodes.append(
      Node(
        OperatorName(op, domain: domain), name: label, attributes: attributes, inputs: inputs, outputs: outputs))
  }

  /// A value for an output that the expansion itself reads too.
  package mutating func shared(_ output: Int) -> ValueID {
    node.output(output) ?? graph.addValue(Graph.Value(name: ""))
  }

  /// Hands a value through as an output.
  package mutating func hand(_ value: ValueID, to output: Int) {
    if let target = node.output(output) { append("Identity", [value], [:], [target]) }
  }
}

// MARK: Small graphs that many composites have

extension Expansion {
  package mutating func cast(_ value: ValueID, _ type: DataType) -> ValueID {
    add("Cast", [value], ["to": .int(Int(type.rawValue))])
  }

  package mutating func reshape(_ value: ValueID, _ shape: [Int]) throws -> ValueID {
    add("Reshape", [value, try ints(shape)])
  }

  package mutating func transpose(_ value: ValueID, _ permutation: [Int]) -> ValueID {
    add("Transpose", [value], ["perm": .ints(permutation)])
  }

  /// The size of one axis, [1].
  package mutating func size(_ value: ValueID, _ axis: Int) -> ValueID {
    var attributes: [String: Attribute] = ["start": .int(axis)]
    if axis != -1 { attributes["end"] = .int(axis + 1) }
    return add("Shape", [value], attributes)
  }

  /// (x − zero) · scale.
  package mutating func dequantize(_ value: ValueID, _ scale: ValueID, _ zero: ValueID?) -> ValueID {
    add("DequantizeLinear", [value, scale, zero])
  }

  /// Makes output 0 from a float value.
  ///
  /// - Parameter like: a value of the wanted type, which says it where there is no zero point.
  package mutating func quantize(_ value: ValueID, _ scale: ValueID, _ zero: ValueID?, like other: ValueID) throws {
    result("QuantizeLinear", [value, scale, try zero ?? zeroPoint(like: other)])
  }

  /// 0 of the type of another value.
  private mutating func zeroPoint(like other: ValueID) throws -> ValueID {
    add("CastLike", [try float(0), other])
  }
}
