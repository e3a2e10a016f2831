import DLRTGraph

extension Session {
  /// The inputs with defaults filled in, each checked against the model.
  func checked(_ inputs: [Value?]) throws -> [Value] {
    guard inputs.count == model.inputs.count else {
      throw DLRTError(
        .invalidInput, "wrong number of inputs", expected: "\(model.inputs.count)", got: "\(inputs.count)")
    }
    var symbols: [String: (size: Int, input: String)] = [:]
    var result: [Value] = []
    result.reserveCapacity(inputs.count)
    for (index, port) in model.inputs.enumerated() {
      if let value = inputs[index] {
        try check(value, port, &symbols)
        result.append(try value.aligned())
      } else if let fallback = model.program.graph.defaults[model.program.graph.inputs[index]] {
        result.append(try Value.tensor(fallback).aligned())
      } else {
        throw DLRTError(.invalidInput, "a required input is missing", tensor: port.name)
      }
    }
    return result
  }

  private func check(_ value: Value, _ port: Model.Port, _ symbols: inout [String: (size: Int, input: String)]) throws {
    guard value.type == port.type else {
      throw DLRTError(
        .invalidInput, "the input has another type", tensor: port.name, expected: "\(port.type)", got: "\(value.type)")
    }
    guard let tensor = value.tensor, let shape = port.shape else { return }
    guard tensor.rank == shape.rank else {
      throw DLRTError(
        .invalidInput, "the input has another rank", tensor: port.name, expected: "\(shape)", got: "\(tensor.shape)")
    }
    for (size, dim) in zip(tensor.shape, shape.dims) {
      switch dim {
      case .known(let expected):
        guard size == expected else {
          throw DLRTError(
            .invalidInput, "the input has another shape", tensor: port.name, expected: "\(shape)",
            got: "\(tensor.shape)")
        }
      case .symbol(let name):
        if let other = symbols[name], other.size != size {
          throw DLRTError(
            .invalidInput, "dimension '\(name)' differs between inputs", tensor: port.name,
            expected: "\(other.size) as in '\(other.input)'", got: "\(size)")
        }
        symbols[name] = (size, port.name)
      case .unknown: break
      }
    }
  }
}

extension Value {
  /// The same value with tensors that typed pointers may read; files and callers do not promise alignment.
  fileprivate func aligned() throws -> Value {
    switch self {
    case .tensor(let tensor): tensor.isAligned ? self : .tensor(try tensor.copied())
    case .sequence(let elements, let type): .sequence(try elements.map { try $0.aligned() }, of: type)
    case .optional(let content, let type): .optional(try content?.aligned(), of: type)
    case .map(let keys, let values, let type):
      .map(keys: keys.isAligned ? keys : try keys.copied(), values: try values.map { try $0.aligned() }, of: type)
    }
  }
}
