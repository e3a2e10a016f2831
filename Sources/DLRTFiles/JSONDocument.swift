import CFileFormats
import DLRT

/// A parsed JSON text; values live as long as the document.
package final class JSONDocument {
  private let root: OpaquePointer

  package init(_ bytes: [UInt8], name: String) throws {
    var root: OpaquePointer?
    var error = dlf_error()
    let status = dlf_json_parse(bytes, bytes.count, 64, &root, &error)
    guard status == DLF_OK, let root else {
      throw DLRTError(.invalidInput, error.text, tensor: name)
    }
    self.root = root
  }

  package convenience init(path: String) throws {
    try self.init(WholeFile.read(path), name: path)
  }

  deinit { dlf_json_release(root) }

  package var value: JSONValue { JSONValue(pointer: root, document: self) }
}

/// One value of a document.
package struct JSONValue {
  private let pointer: OpaquePointer
  private let document: JSONDocument

  fileprivate init(pointer: OpaquePointer, document: JSONDocument) {
    self.pointer = pointer
    self.document = document
  }

  package var isArray: Bool { dlf_json_get_kind(pointer) == DLF_JSON_ARRAY }
  package var isObject: Bool { dlf_json_get_kind(pointer) == DLF_JSON_OBJECT }

  /// What the value is, for messages: numbers and truth values as they are.
  var kind: String {
    switch dlf_json_get_kind(pointer) {
    case DLF_JSON_ARRAY: "a list"
    case DLF_JSON_OBJECT: "an object"
    case DLF_JSON_STRING: "a string"
    case DLF_JSON_BOOL: dlf_json_bool(pointer) ? "true" : "false"
    case DLF_JSON_INTEGER: "\(dlf_json_integer(pointer))"
    case DLF_JSON_REAL: "\(dlf_json_real(pointer))"
    default: "null"
    }
  }

  package var string: String? {
    var length = 0
    guard let start = dlf_json_string(pointer, &length) else { return nil }
    return start.withMemoryRebound(to: UInt8.self, capacity: length) {
      String(decoding: UnsafeBufferPointer(start: $0, count: length), as: UTF8.self)
    }
  }

  package var bool: Bool? { dlf_json_get_kind(pointer) == DLF_JSON_BOOL ? dlf_json_bool(pointer) : nil }

  package var integer: Int64? {
    dlf_json_get_kind(pointer) == DLF_JSON_INTEGER ? dlf_json_integer(pointer) : nil
  }

  package var number: Double? {
    switch dlf_json_get_kind(pointer) {
    case DLF_JSON_INTEGER, DLF_JSON_REAL: dlf_json_real(pointer)
    default: nil
    }
  }

  package var elements: [JSONValue] {
    (0..<(isArray ? dlf_json_count(pointer) : 0)).compactMap { index in
      dlf_json_element(pointer, index).map { JSONValue(pointer: $0, document: document) }
    }
  }

  package subscript(key: String) -> JSONValue? {
    dlf_json_member(pointer, key).map { JSONValue(pointer: $0, document: document) }
  }

  package var members: [(key: String, value: JSONValue)] {
    var result: [(key: String, value: JSONValue)] = []
    var entry = dlf_json_next(pointer, nil)
    while let current = entry {
      if let key = dlf_json_entry_key(current), let value = dlf_json_entry_value(current) {
        result.append((String(cString: key), JSONValue(pointer: value, document: document)))
      }
      entry = dlf_json_next(pointer, current)
    }
    return result
  }
}

extension dlf_error {
  /// The message as text.
  var text: String {
    withUnsafeBytes(of: message) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
