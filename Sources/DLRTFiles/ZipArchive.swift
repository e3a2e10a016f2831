import CFileFormats
import DLRT

/// The members of a ZIP file, found through its central directory.
struct ZipArchive {
  struct Member {
    let name: String
    fileprivate let isDeflated: Bool
    fileprivate let packed: ArraySlice<UInt8>
    fileprivate let size: Int
    fileprivate let checksum: UInt32
  }

  private(set) var members: [Member] = []
  private static let mostBytes = 1 << 34

  init(_ bytes: [UInt8], name: String) throws {
    var reader = ByteReader(bytes[...], name: name)
    let directory = try Self.directory(&reader)
    try reader.seek(directory.offset)
    var packed = 0
    for _ in 0..<directory.count {
      let member = try Self.member(&reader)
      packed += member.packed.count
      // Members that share bytes are a way to make much of little.
      guard packed <= bytes.count else { throw reader.malformed("the archive's members overlap") }
      members.append(member)
    }
  }

  private static func directory(_ reader: inout ByteReader) throws -> (offset: Int, count: Int) {
    // The end record is 22 bytes and a comment of at most 64 KiB.
    let bytes = reader.bytes
    let end = stride(from: bytes.count - 22, through: max(0, bytes.count - 22 - 65_535), by: -1).first { start in
      bytes[start..<start + 4].elementsEqual([0x50, 0x4b, 0x05, 0x06])
    }
    guard let end else { throw reader.malformed("the file is no ZIP archive") }
    try reader.seek(end + 10)
    var count = Int(try reader.integer(UInt16.self))
    _ = try reader.integer(UInt32.self)
    var offset = Int(try reader.integer(UInt32.self))
    if count == 0xffff || offset == 0xffff_ffff {
      try reader.seek(end - 20 + 8)
      try reader.seek(clamped(reader.integer(UInt64.self)) + 32)
      count = clamped(try reader.integer(UInt64.self))
      _ = try reader.integer(UInt64.self)
      offset = clamped(try reader.integer(UInt64.self))
    }
    return (offset, count)
  }

  /// Sizes beyond any file become one that every check refuses, without overflow in sums.
  private static func clamped(_ value: UInt64) -> Int { Int(min(value, 1 << 48)) }

  private static func member(_ reader: inout ByteReader) throws -> Member {
    guard try reader.integer(UInt32.self) == 0x0201_4b50 else {
      throw reader.malformed("the archive's directory is damaged")
    }
    _ = try reader.take(4)
    let flags = try reader.integer(UInt16.self)
    let method = try reader.integer(UInt16.self)
    _ = try reader.take(4)
    let checksum = try reader.integer(UInt32.self)
    var packedSize = Int(try reader.integer(UInt32.self))
    var size = Int(try reader.integer(UInt32.self))
    let nameLength = Int(try reader.integer(UInt16.self))
    let extraLength = Int(try reader.integer(UInt16.self))
    let commentLength = Int(try reader.integer(UInt16.self))
    _ = try reader.take(8)
    var offset = Int(try reader.integer(UInt32.self))
    let name = String(decoding: try reader.take(nameLength), as: UTF8.self)
    var extra = ByteReader(try reader.take(extraLength), name: reader.name)
    _ = try reader.take(commentLength)
    while extra.left >= 4 {
      let id = try extra.integer(UInt16.self)
      var field = ByteReader(try extra.take(Int(extra.integer(UInt16.self))), name: reader.name)
      guard id == 1 else { continue }
      if size == 0xffff_ffff { size = clamped(try field.integer(UInt64.self)) }
      if packedSize == 0xffff_ffff { packedSize = clamped(try field.integer(UInt64.self)) }
      if offset == 0xffff_ffff { offset = clamped(try field.integer(UInt64.self)) }
    }
    guard flags & 1 == 0, method == 0 || method == 8, size <= mostBytes else {
      throw reader.malformed("a member of the archive is encrypted, packed in an unknown way, or too large")
    }
    let next = reader.position
    try reader.seek(offset + 26)
    let localName = Int(try reader.integer(UInt16.self))
    let localExtra = Int(try reader.integer(UInt16.self))
    _ = try reader.take(localName + localExtra)
    let packed = try reader.take(packedSize)
    try reader.seek(next - reader.bytes.startIndex)
    return Member(name: name, isDeflated: method == 8, packed: packed, size: size, checksum: checksum)
  }
}

extension ZipArchive.Member {
  /// The member's bytes, whose checksum is checked.
  func contents() throws -> [UInt8] {
    var result: [UInt8]
    if isDeflated {
      // Deflate cannot shrink more than about a thousandfold; a larger claim is a bomb.
      guard size / 1100 <= packed.count else {
        throw DLRTError(.invalidInput, "the archive's member claims an impossible size", tensor: name)
      }
      result = [UInt8](repeating: 0, count: size)
      var error = dlf_error()
      let status = packed.withUnsafeBufferPointer { source in
        dlf_inflate(source.baseAddress, source.count, &result, size, &error)
      }
      guard status == DLF_OK else { throw DLRTError(.invalidInput, error.text, tensor: name) }
    } else {
      guard packed.count == size else {
        throw DLRTError(.invalidInput, "the archive's member has two sizes", tensor: name)
      }
      result = Array(packed)
    }
    guard dlf_crc32(0, result, result.count) == checksum else {
      throw DLRTError(.invalidInput, "the archive's member is damaged", tensor: name)
    }
    return result
  }
}
