import DLRTGraph

/// Reads a node's attributes and remembers which, so that one that nobody read is refused at load instead of giving
/// wrong numbers later.
package struct AttributeReader {
  package let node: Node
  private var unread: Set<String>
  private let compile: (Graph) throws -> any Subgraph

  /// - Parameter compile: makes a subgraph runnable.
  package init(_ node: Node, compile: @escaping (Graph) throws -> any Subgraph) {
    self.node = node
    unread = Set(node.attributes.keys)
    self.compile = compile
  }

  /// Refuses what was not read.
  package func finish() throws(DLRTError) {
    guard let first = unread.sorted().first else { return }
    throw DLRTError(
      .unsupportedModel, "attribute is not known", tensor: first, got: node.attributes[first]?.description)
  }

  private func wrong(_ name: String, _ expected: String) -> DLRTError {
    DLRTError(
      .invalidModel, "attribute has the wrong type", tensor: name, expected: expected,
      got: node.attributes[name]?.kind)
  }

  private func missing(_ name: String) -> DLRTError {
    DLRTError(.invalidModel, "a required attribute is missing", tensor: name)
  }

  package func has(_ name: String) -> Bool { node.attributes[name] != nil }

  /// Marks attributes as read that change nothing in a result.
  package mutating func ignore(_ names: String...) { unread.subtract(names) }

  private mutating func take(_ name: String) -> Attribute? {
    unread.remove(name)
    return node.attributes[name]
  }
}

extension AttributeReader {
  package mutating func optionalInt(_ name: String) throws(DLRTError) -> Int? {
    switch take(name) {
    case nil: return nil
    case .int(let value): return value
    default: throw wrong(name, "int")
    }
  }

  package mutating func int(_ name: String) throws(DLRTError) -> Int {
    guard let value = try optionalInt(name) else { throw missing(name) }
    return value
  }

  package mutating func int(_ name: String, default fallback: Int) throws(DLRTError) -> Int {
    try optionalInt(name) ?? fallback
  }

  /// An int that stands for true or false.
  package mutating func flag(_ name: String, default fallback: Bool = false) throws(DLRTError) -> Bool {
    switch try optionalInt(name) {
    case nil: fallback
    case let value?: value != 0
    }
  }

  package mutating func optionalInts(_ name: String) throws(DLRTError) -> [Int]? {
    switch take(name) {
    case nil: return nil
    case .ints(let values): return values
    // An empty list carries no type in some exporters' files.
    case .floats(let values) where values.isEmpty: return []
    default: throw wrong(name, "ints")
    }
  }

  package mutating func ints(_ name: String) throws(DLRTError) -> [Int] {
    guard let values = try optionalInts(name) else { throw missing(name) }
    return values
  }

  package mutating func optionalFloat(_ name: String) throws(DLRTError) -> Float? {
    switch take(name) {
    case nil: return nil
    case .float(let value): return value
    default: throw wrong(name, "float")
    }
  }

  package mutating func float(_ name: String, default fallback: Float) throws(DLRTError) -> Float {
    try optionalFloat(name) ?? fallback
  }

  package mutating func optionalFloats(_ name: String) throws(DLRTError) -> [Float]? {
    switch take(name) {
    case nil: return nil
    case .floats(let values): return values
    case .ints(let values) where values.isEmpty: return []
    default: throw wrong(name, "floats")
    }
  }

  package mutating func optionalString(_ name: String) throws(DLRTError) -> String? {
    switch take(name) {
    case nil: return nil
    case .string(let value): return value
    default: throw wrong(name, "string")
    }
  }

  package mutating func string(_ name: String, default fallback: String) throws(DLRTError) -> String {
    try optionalString(name) ?? fallback
  }

  /// A string that must be one of the names of an enumeration's cases.
  // One function for all enumerations: copies of it for each took 40 KB.
  @_semantics("optimize.sil.specialize.generic.never")
  package mutating func choice<C: RawRepresentable<String> & CaseIterable>(
    _ name: String, default fallback: C
  ) throws(DLRTError) -> C {
    guard let text = try optionalString(name) else { return fallback }
    guard let value = C(rawValue: text) else {
      let allowed = C.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
      throw DLRTError(.invalidModel, "attribute has no such value", tensor: name, expected: allowed, got: "'\(text)'")
    }
    return value
  }

  package mutating func optionalStrings(_ name: String) throws(DLRTError) -> [String]? {
    switch take(name) {
    case nil: return nil
    case .strings(let values): return values
    case .ints(let values) where values.isEmpty: return []
    default: throw wrong(name, "strings")
    }
  }

  package mutating func optionalTensor(_ name: String) throws(DLRTError) -> Tensor? {
    switch take(name) {
    case nil: return nil
    case .tensor(let value): return value
    default: throw wrong(name, "tensor")
    }
  }

  package mutating func tensor(_ name: String) throws(DLRTError) -> Tensor {
    guard let value = try optionalTensor(name) else { throw missing(name) }
    return value
  }

  package mutating func optionalType(_ name: String) throws(DLRTError) -> ValueType? {
    switch take(name) {
    case nil: return nil
    case .type(let value): return value
    default: throw wrong(name, "type")
    }
  }

  /// An int that names an element type by its ONNX code.
  package mutating func optionalDataType(_ name: String) throws(DLRTError) -> DataType? {
    guard let code = try optionalInt(name), code != 0 else { return nil }
    guard let byte = UInt8(exactly: code), let type = DataType(rawValue: byte) else {
      throw DLRTError(.unsupportedModel, "no such element type", tensor: name, got: "\(code)")
    }
    return type
  }

  package mutating func subgraph(_ name: String) throws -> any Subgraph {
    switch take(name) {
    case nil: throw missing(name)
    case .graph(let graph): return try compile(graph)
    default: throw wrong(name, "graph")
    }
  }

  /// An attribute that must have one value, since no other is implemented.
  package mutating func require(_ name: String, _ value: Int, _ reason: String) throws(DLRTError) {
    let got = try optionalInt(name) ?? value
    guard got == value else {
      throw DLRTError(.unsupportedModel, reason, tensor: name, expected: "\(value)", got: "\(got)")
    }
  }
}
