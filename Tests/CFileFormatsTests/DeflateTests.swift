import CFileFormats
import Testing

private func deflated(_ bytes: [UInt8]) throws -> [UInt8] {
  var output: UnsafeMutablePointer<UInt8>?
  var count = 0
  try checked { dlf_deflate(bytes, bytes.count, &output, &count, $0) }
  return taking(output, count)
}

private func inflated(_ bytes: [UInt8], count: Int) throws -> [UInt8] {
  var output = [UInt8](repeating: 0, count: count)
  try checked { dlf_inflate(bytes, bytes.count, &output, count, $0) }
  return output
}

@Suite struct DeflateTests {
  @Test(arguments: [0, 1, 100, 100_000]) func roundTrip(count: Int) throws {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
    #expect(try inflated(deflated(bytes), count: count) == bytes)
  }

  @Test func lengthMustMatch() throws {
    let stream = try deflated(Array(repeating: 7, count: 1000))
    for count in [0, 1, 999, 1001] {
      #expect(throws: FormatFailure.of(DLF_MALFORMED)) { try inflated(stream, count: count) }
    }
  }

  @Test func brokenStreamsAreRefused() throws {
    let stream = try deflated((0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 4) })
    for count in 0..<stream.count {
      #expect(throws: FormatFailure.of(DLF_MALFORMED)) { try inflated(Array(stream.prefix(count)), count: 1000) }
    }
    #expect(throws: FormatFailure.of(DLF_MALFORMED)) { try inflated([0xFF, 0xFF, 0xFF], count: 10) }
  }

  @Test func checksum() {
    let bytes = Array("123456789".utf8)
    #expect(dlf_crc32(0, bytes, bytes.count) == 0xCBF4_3926)
    #expect(dlf_crc32(dlf_crc32(0, bytes, 4), Array(bytes.dropFirst(4)), 5) == 0xCBF4_3926)
  }
}
