import COnnx
import DLRTGraph

/// The files of ONNX's test data: a `TensorProto`, `SequenceProto`, `OptionalProto` or `MapProto`, which do not say
/// themselves which they are.
package enum ValueFile {
  /// Reads a value of a known type.
  ///
  /// - Returns: the name in the file, often that of the input, and the value.
  /// - Throws: `DLRTError` with `io`, or `invalidInput` when the bytes are no such value.
  package static func read(path: String, type: ValueType) throws(DLRTError) -> (name: String, value: Value) {
    let file = try MappedFile(path: path)
    // Copied, since nobody promises that an input's file stays as it is.
    let storage = try TensorStorage(byteCount: file.bytes.count)
    try file.copy(file.bytes, to: storage.base)
    do {
      let bytes = UnsafeRawBufferPointer(start: storage.base, count: file.bytes.count)
      return try read(bytes, owner: storage, type: type)
    } catch {
      var located = error
      located.tensor = [path, error.tensor ?? ""].filter { !$0.isEmpty }.joined(separator: ": ")
      throw located
    }
  }

  /// Reads from memory that `owner` keeps unchanged.
  package static func read(
    _ bytes: UnsafeRawBufferPointer, owner: AnyObject, type: ValueType
  ) throws(DLRTError) -> (name: String, value: Value) {
    do {
      let reader = ValueReader(TensorDecoder(owner: owner, external: nil))
      switch type {
      case .tensor:
        let document = try Document(COnnxKindTensor, bytes: bytes, owner: owner)
        return try withExtendedLifetime(document) { () throws(DLRTError) in
          let source = connx_tensor(document.pointer)
          return (source.name.prose, try reader.tensor(source, type))
        }
      case .sequence(let element):
        let document = try Document(COnnxKindSequence, bytes: bytes, owner: owner)
        return try withExtendedLifetime(document) { () throws(DLRTError) in
          let source = connx_sequence(document.pointer)
          return (source.name.prose, try reader.sequence(source, of: element))
        }
      case .optional(let content):
        let document = try Document(COnnxKindOptional, bytes: bytes, owner: owner)
        return try withExtendedLifetime(document) { () throws(DLRTError) in
          let source = connx_optional(document.pointer)
          return (source.name.prose, try reader.optional(source, of: content))
        }
      case .map(let key, let value):
        let document = try Document(COnnxKindMap, bytes: bytes, owner: owner)
        return try withExtendedLifetime(document) { () throws(DLRTError) in
          let source = connx_map(document.pointer)
          return (source.name.prose, try reader.map(source, key: key, of: value))
        }
      }
    } catch {
      var copy = error
      if copy.code == .invalidModel || copy.code == .unsupportedModel { copy.code = .invalidInput }
      throw copy
    }
  }
}

private struct ValueReader {
  let decoder: TensorDecoder

  init(_ decoder: TensorDecoder) { self.decoder = decoder }

  private func mismatch(_ name: COnnxText, _ expected: ValueType, _ got: String) -> DLRTError {
    DLRTError(.invalidInput, "the file holds another type", tensor: name.prose, expected: "\(expected)", got: got)
  }

  func tensor(_ source: COnnxTensor, _ type: ValueType) throws(DLRTError) -> Value {
    let tensor = try decoder.decode(source, name: source.name.prose)
    guard type == .tensor(tensor.type) else { throw mismatch(source.name, type, "\(tensor.type)") }
    return .tensor(tensor)
  }

  /// The elements of a sequence, or of an optional, which has at most one.
  private func elements(_ source: COnnxSequence, of type: ValueType) throws(DLRTError) -> [Value] {
    let found = [
      source.tensors.count, source.sparse_tensors.count, source.sequences.count, source.optionals.count,
      source.maps.count,
    ]
    var values: [Value] = []
    switch type {
    case .tensor:
      for element in source.tensors.all { values.append(try tensor(element, type)) }
      for element in source.sparse_tensors.all {
        let dense = try decoder.decode(element, name: source.name.prose)
        guard type == .tensor(dense.type) else { throw mismatch(source.name, type, "\(dense.type)") }
        values.append(.tensor(dense))
      }
    case .sequence(let inner):
      for element in source.sequences.all { values.append(try sequence(element, of: inner)) }
    case .optional(let inner):
      for element in source.optionals.all { values.append(try optional(element, of: inner)) }
    case .map(let key, let value):
      for element in source.maps.all { values.append(try map(element, key: key, of: value)) }
    }
    guard values.count == found.reduce(0, +) else { throw mismatch(source.name, type, "elements of other kinds") }
    return values
  }

  func sequence(_ source: COnnxSequence, of type: ValueType) throws(DLRTError) -> Value {
    .sequence(try elements(source, of: type), of: type)
  }

  func optional(_ source: COnnxOptional, of type: ValueType) throws(DLRTError) -> Value {
    let values = try elements(source, of: type)
    guard values.count <= 1 else { throw mismatch(source.name, .optional(type), "\(values.count) values") }
    return .optional(values.first, of: type)
  }

  func map(_ source: COnnxMap, key: DataType, of type: ValueType) throws(DLRTError) -> Value {
    let stored = try TensorDecoder.dataType(source.key_type, tensor: source.name.prose)
    guard stored == key else { throw mismatch(source.name, .map(key: key, value: type), "keys of \(stored)") }
    let values = try source.values.first.map { values throws(DLRTError) in try elements(values, of: type) } ?? []
    let keys = try self.keys(source, key)
    guard keys.count == values.count else {
      throw DLRTError(
        .invalidInput, "a map's keys and values differ in number", tensor: source.name.prose,
        expected: "\(keys.count) values", got: "\(values.count)")
    }
    return .map(keys: keys, values: values, of: type)
  }

  private func keys(_ source: COnnxMap, _ type: DataType) throws(DLRTError) -> Tensor {
    if type == .string {
      return try Tensor(byteStrings: source.string_keys.all.map { Array($0.buffer) }, shape: [source.string_keys.count])
    }
    guard type.isInteger, type.packedBits >= 8 else {
      throw DLRTError(.unsupportedModel, "map keys must be integers or strings", got: "\(type)")
    }
    let keys = try Tensor(uninitialized: [source.keys.count], type: type)
    for (index, key) in source.keys.buffer.enumerated() {
      // Little-endian: the low bytes are the narrower integer.
      withUnsafeBytes(of: key) {
        (keys.mutablePointer + index * type.size).copyMemory(from: $0.baseAddress ?? keys.pointer, byteCount: type.size)
      }
    }
    return keys
  }
}
