import DLRTGraph

extension Node {
  /// Turns an attribute of an old version (`int` or `ints`) into the int64 input that took its place.
  package mutating func moveAttribute(_ name: String, toInput index: Int, in graph: inout Graph) throws {
    guard let attribute = attributes.removeValue(forKey: name) else { return }
    switch attribute {
    case .ints(let values): setInput(index, graph.addConstant(try Tensor(int64: values)))
    case .int(let value): setInput(index, graph.addConstant(try Tensor(int64: [value])))
    default:
      throw DLRTError(
        .invalidModel, "attribute has the wrong type", tensor: name, expected: "ints", got: attribute.kind)
    }
  }

  /// Gives the node an input; absent ones before it stay absent.
  package mutating func setInput(_ index: Int, _ value: ValueID) {
    while inputs.count <= index { inputs.append(nil) }
    inputs[index] = value
  }
}
