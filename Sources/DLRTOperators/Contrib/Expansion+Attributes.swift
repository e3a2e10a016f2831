import DLRTGraph

extension Expansion {
  /// Attributes that another operator has under the same names, to be handed on as they are.
  mutating func take(_ names: [String]) -> [String: Attribute] {
    var result: [String: Attribute] = [:]
    for name in names {
      attributes.ignore(name)
      result[name] = node.attributes[name]
    }
    return result
  }

  /// Puts another operator in the node's place that reads the same inputs and the given attributes.
  mutating func rename(_ op: String, _ names: [String] = []) {
    let own = take(names)
    append(op, node.inputs, own, node.outputs)
  }
}
