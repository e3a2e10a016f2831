/// The value of a node's attribute, in the kinds that ONNX has. Sparse tensors are made dense at import.
package enum Attribute: Sendable {
  case int(Int)
  case float(Float)
  case string(String)
  case tensor(Tensor)
  case graph(Graph)
  case type(ValueType)
  case ints([Int])
  case floats([Float])
  case strings([String])
  case tensors([Tensor])
  case graphs([Graph])
  case types([ValueType])

  /// The kind's name in messages.
  package var kind: String {
    switch self {
    case .int: "int"
    case .float: "float"
    case .string: "string"
    case .tensor: "tensor"
    case .graph: "graph"
    case .type: "type"
    case .ints: "ints"
    case .floats: "floats"
    case .strings: "strings"
    case .tensors: "tensors"
    case .graphs: "graphs"
    case .types: "types"
    }
  }
}

extension Attribute: CustomStringConvertible {
  package var description: String {
    switch self {
    case .int(let value): "\(value)"
    case .float(let value): "\(value)"
    case .string(let value): "\"\(value)\""
    case .tensor(let value): "\(value.type)\(value.shape)"
    case .graph: "{…}"
    case .type(let value): "\(value)"
    case .ints(let values): "\(values)"
    case .floats(let values): "\(values)"
    case .strings(let values): "\(values)"
    case .tensors(let values): "\(values.count) tensors"
    case .graphs(let values): "\(values.count) graphs"
    case .types(let values): "\(values)"
    }
  }
}
