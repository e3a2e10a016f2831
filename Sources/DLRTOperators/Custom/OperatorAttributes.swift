import DLRTGraph

/// The attributes of a node that calls a user's operator. Each that the node has must be read.
public struct OperatorAttributes {
  package private(set) var reader: AttributeReader

  package init(_ reader: AttributeReader) { self.reader = reader }

  /// The version of its operator set that the node was written for.
  public var version: Int { reader.node.version ?? 1 }
  /// How many inputs the node has, absent ones before the last included.
  public var inputCount: Int { reader.node.inputs.count }
  public var outputCount: Int { reader.node.outputs.count }

  public func has(_ name: String) -> Bool { reader.has(name) }

  /// Marks attributes as read that change nothing in a result.
  public mutating func ignore(_ name: String) { reader.ignore(name) }

  // Each of these is nil for an attribute that the node does not have, and throws `invalidModel` for one of another kind.
  public mutating func int(_ name: String) throws -> Int? { try reader.optionalInt(name) }
  public mutating func ints(_ name: String) throws -> [Int]? { try reader.optionalInts(name) }
  public mutating func float(_ name: String) throws -> Float? { try reader.optionalFloat(name) }
  public mutating func floats(_ name: String) throws -> [Float]? { try reader.optionalFloats(name) }
  public mutating func string(_ name: String) throws -> String? { try reader.optionalString(name) }
  public mutating func strings(_ name: String) throws -> [String]? { try reader.optionalStrings(name) }
  public mutating func tensor(_ name: String) throws -> Tensor? { try reader.optionalTensor(name) }
}
