import COnnx
import DLRTGraph

extension ValueFile {
  /// Writes a value so that `read` with the value's type gives it back. The file appears complete or not at all.
  package static func write(_ value: Value, name: String, path: String) throws(DLRTError) {
    try writer(value, name: name).write(path: path)
  }

  /// The bytes of such a file.
  package static func bytes(_ value: Value, name: String) throws(DLRTError) -> [UInt8] {
    try writer(value, name: name).bytes()
  }

  private static func writer(_ value: Value, name: String) throws(DLRTError) -> Writer {
    switch value {
    case .tensor(let tensor):
      let writer = try Writer(COnnxKindTensor)
      try writer.set(connx_writer_tensor(writer.pointer), tensor, name: name)
      return writer
    case .sequence:
      let writer = try Writer(COnnxKindSequence)
      try writer.set(connx_writer_sequence(writer.pointer), value, name: name)
      return writer
    case .optional:
      let writer = try Writer(COnnxKindOptional)
      try writer.set(connx_writer_optional(writer.pointer), value, name: name)
      return writer
    case .map:
      let writer = try Writer(COnnxKindMap)
      try writer.set(connx_writer_map(writer.pointer), value, name: name)
      return writer
    }
  }
}

extension ValueType {
  /// `SequenceProto.DataType` of an element of this type.
  fileprivate var elementKind: Int32 {
    switch self {
    case .tensor: 1
    case .sequence: 3
    case .map: 4
    case .optional: 5
    }
  }
}

extension Writer {
  fileprivate func set(_ target: COnnxSequenceWriter, _ value: Value, name: String) throws(DLRTError) {
    guard case .sequence(let elements, let type) = value else { return }
    name.withText { connx_set_sequence(target, $0, type.elementKind) }
    for element in elements {
      switch element {
      case .tensor(let tensor): try set(connx_add_sequence_tensor(target), tensor, name: "")
      case .sequence: try set(connx_add_sequence_sequence(target), element, name: "")
      case .optional: try set(connx_add_sequence_optional(target), element, name: "")
      case .map: try set(connx_add_sequence_map(target), element, name: "")
      }
    }
  }

  fileprivate func set(_ target: COnnxOptionalWriter, _ value: Value, name: String) throws(DLRTError) {
    guard case .optional(let content, let type) = value else { return }
    name.withText { connx_set_optional(target, $0, content == nil ? 0 : type.elementKind) }
    switch content {
    case .tensor(let tensor)?: try set(connx_set_optional_tensor(target), tensor, name: "")
    case .sequence?: try set(connx_set_optional_sequence(target), content ?? value, name: "")
    case .optional?: try set(connx_set_optional_optional(target), content ?? value, name: "")
    case .map?: try set(connx_set_optional_map(target), content ?? value, name: "")
    case nil: break
    }
  }

  fileprivate func set(_ target: COnnxMapWriter, _ value: Value, name: String) throws(DLRTError) {
    guard case .map(let keys, let values, let type) = value else { return }
    name.withText { connx_set_map(target, $0, Int32(keys.type.rawValue)) }
    if keys.type == .string {
      for key in keys.elements(StringRef.self) { key.string.withText { connx_add_map_string_key(target, $0) } }
    } else {
      for key in keys.integers ?? [] { connx_add_map_key(target, Int64(key)) }
    }
    try set(connx_set_map_values(target), .sequence(values, of: type), name: "")
  }
}
