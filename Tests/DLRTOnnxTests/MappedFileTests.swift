import DLRTGraph
import Glibc
import Testing

@testable import DLRTOnnx

/// Bytes of a file, in place and copied.
@Suite struct MappedFileTests {
  private func withFile(_ bytes: [UInt8], _ body: (_ path: String) throws -> Void) throws {
    var name = Array("/tmp/dlrt-mapped-XXXXXX".utf8CString)
    let descriptor = mkstemp(&name)
    #expect(descriptor >= 0)
    defer { close(descriptor) }
    #expect(write(descriptor, bytes, bytes.count) == bytes.count)
    let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { unlink(path) }
    try body(path)
  }

  private let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

  @Test func copiesAreTheBytes() throws {
    try withFile(bytes) { path in
      let file = try MappedFile(path: path)
      let storage = TensorStorage(borrowing: try #require(file.bytes.baseAddress), byteCount: bytes.count, owner: file)
      #expect(storage.isRestorable)
      for range in [0..<1, 0..<100_000, 4095..<8193, 99_999..<100_000, 7..<7] {
        var copy = [UInt8](repeating: 0, count: range.count)
        try copy.withUnsafeMutableBytes { target in
          guard let start = target.baseAddress else { return }
          try storage.copy(UnsafeRawBufferPointer(rebasing: file.bytes[range]), to: start)
        }
        #expect(copy == Array(bytes[range]))
      }
    }
  }

  /// Reading the mapped pages would end the process.
  @Test func aShorterFileIsAnError() throws {
    try withFile(bytes) { path in
      let file = try MappedFile(path: path)
      #expect(truncate(path, 50_000) == 0)
      var copy = [UInt8](repeating: 0, count: 10)
      #expect(throws: DLRTError.self) {
        try copy.withUnsafeMutableBytes { target in
          guard let start = target.baseAddress else { return }
          try file.copy(UnsafeRawBufferPointer(rebasing: file.bytes[60_000..<60_010]), to: start)
        }
      }
    }
  }

  @Test func descriptorsAreGivenBack() throws {
    try withFile(bytes) { path in
      let before = open(path, O_RDONLY)
      close(before)
      for _ in 0..<200 { _ = try MappedFile(path: path) }
      #expect(throws: DLRTError.self) { try MappedFile(path: "/tmp") }
      let after = open(path, O_RDONLY)
      close(after)
      // Other tests may hold files, too.
      #expect(after < before + 100)
    }
  }
}
