import DLRT
import DLRTGraph
import DLRTOperators

/// Nested lists of numbers, booleans or strings as a tensor of the type that an input wants.
enum JSONTensor {
  static func read(_ value: JSONValue, port: Model.Port) throws -> Tensor {
    guard case .tensor(let type) = port.type else {
      throw DLRTError(.invalidInput, "JSON gives tensors only", tensor: port.name, got: "\(port.type)")
    }
    var shape: [Int] = []
    var level = value
    while level.isArray {
      let elements = level.elements
      shape.append(elements.count)
      guard let first = elements.first else { break }
      level = first
    }
    var leaves: [JSONValue] = []
    try collect(value, shape[...], port.name, &leaves)
    return try tensor(leaves, type, shape, port.name)
  }

  private static func collect(
    _ value: JSONValue, _ shape: ArraySlice<Int>, _ name: String, _ leaves: inout [JSONValue]
  ) throws {
    guard let size = shape.first else {
      guard !value.isArray, !value.isObject else { throw ragged(name, "an element", value) }
      return leaves.append(value)
    }
    let elements = value.elements
    guard value.isArray, elements.count == size else { throw ragged(name, "a list of \(size)", value) }
    for element in elements { try collect(element, shape.dropFirst(), name, &leaves) }
  }

  private static func ragged(_ name: String, _ expected: String, _ value: JSONValue) -> DLRTError {
    let got = value.isArray ? "a list of \(value.elements.count)" : value.kind
    return DLRTError(
      .invalidInput, "the lists are not all of one length", tensor: name, expected: "\(expected) as in the first",
      got: got)
  }

  private static func tensor(_ leaves: [JSONValue], _ type: DataType, _ shape: [Int], _ name: String) throws -> Tensor {
    func all<T>(_ expected: String, _ convert: (JSONValue) -> T?) throws -> [T] {
      try leaves.enumerated().map { index, leaf in
        guard let value = convert(leaf) else {
          throw DLRTError(
            .invalidInput, "element \(index) does not fit", tensor: name, expected: expected, got: leaf.kind)
        }
        return value
      }
    }
    func integers<T: FixedWidthInteger & TensorElement>(_: T.Type) throws -> Tensor {
      try Tensor(all("\(type)") { $0.integer.flatMap { T(exactly: $0) } }, shape: shape)
    }
    switch type {
    case .string: return try Tensor(all("strings") { $0.string }, shape: shape)
    case .bool: return try Tensor(all("true or false") { $0.bool ?? $0.integer.map { $0 != 0 } }, shape: shape)
    case .float32: return try Tensor(all("numbers") { $0.number.map { Float($0) } }, shape: shape)
    case .float64: return try Tensor(all("numbers") { $0.number }, shape: shape)
    case .float16: return try Tensor(all("numbers") { $0.number.map { Float16($0) } }, shape: shape)
    case .int8: return try integers(Int8.self)
    case .int16: return try integers(Int16.self)
    case .int32: return try integers(Int32.self)
    case .int64: return try integers(Int64.self)
    case .uint8: return try integers(UInt8.self)
    case .uint16: return try integers(UInt16.self)
    case .uint32: return try integers(UInt32.self)
    case .uint64: return try integers(UInt64.self)
    default:
      throw DLRTError(.invalidInput, "JSON cannot give this element type", tensor: name, got: "\(type)")
    }
  }
}
