import DLRT

/// Reads little-endian numbers from bytes that may end at any place.
struct ByteReader {
  let bytes: ArraySlice<UInt8>
  let name: String
  private(set) var position: Int

  init(_ bytes: ArraySlice<UInt8>, name: String) {
    self.bytes = bytes
    self.name = name
    position = bytes.startIndex
  }

  var left: Int { bytes.endIndex - position }

  func malformed(_ what: String) -> DLRTError { DLRTError(.invalidInput, what, tensor: name) }

  mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count >= 0, count <= left else { throw malformed("the file is cut short") }
    defer { position += count }
    return bytes[position..<position + count]
  }

  mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) throws -> T {
    try take(MemoryLayout<T>.size).reversed().reduce(0) { $0 << 8 | T($1) }
  }

  mutating func seek(_ offset: Int) throws {
    guard offset >= 0, offset <= bytes.count else { throw malformed("an offset lies outside of the file") }
    position = bytes.startIndex + offset
  }
}
