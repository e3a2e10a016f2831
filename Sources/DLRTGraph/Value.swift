/// What a run takes and gives: a tensor, or one of ONNX's containers.
public enum Value: Sendable {
  case tensor(Tensor)
  case sequence([Value], of: ValueType)
  /// An optional that may be empty; `of` is the type of its content.
  indirect case optional(Value?, of: ValueType)
  indirect case map(keys: Tensor, values: [Value], of: ValueType)
}

extension Value {
  public var type: ValueType {
    switch self {
    case .tensor(let tensor): .tensor(tensor.type)
    case .sequence(_, let element): .sequence(element)
    case .optional(_, let element): .optional(element)
    case .map(let keys, _, let value): .map(key: keys.type, value: value)
    }
  }

  /// The tensor, when it is one.
  public var tensor: Tensor? {
    if case .tensor(let tensor) = self { return tensor }
    return nil
  }
}
