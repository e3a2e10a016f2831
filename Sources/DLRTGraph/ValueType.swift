/// What a value of a graph may be: a tensor, or ONNX's containers of values.
public enum ValueType: Sendable, Hashable {
  case tensor(DataType)
  indirect case sequence(ValueType)
  indirect case optional(ValueType)
  indirect case map(key: DataType, value: ValueType)
}

extension ValueType {
  /// The element type of a tensor; nil for containers.
  public var dataType: DataType? {
    if case .tensor(let type) = self { return type }
    return nil
  }
}

extension ValueType: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tensor(let type): "tensor(\(type.name))"
    case .sequence(let element): "seq(\(element))"
    case .optional(let element): "optional(\(element))"
    case .map(let key, let value): "map(\(key.name), \(value))"
    }
  }
}
