import CFileFormats
import DLRT
import DLRTGraph
import DLRTTestSupport
import Glibc
import Testing

@testable import DLRTFiles

/// Little-endian bytes of a number.
func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

func bytes(_ values: [Float]) -> [UInt8] { values.flatMap { bytes($0.bitPattern) } }

/// A `.npy` file as NumPy writes it.
func npy(
  _ descr: String, _ shape: String, _ data: [UInt8], fortran: Bool = false, version: UInt8 = 1
) -> [UInt8] {
  let order = fortran ? "True" : "False"
  let header = Array("{'descr': '\(descr)', 'fortran_order': \(order), 'shape': \(shape), }\n".utf8)
  let length = version == 1 ? bytes(UInt16(header.count)) : bytes(UInt32(header.count))
  return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + header + data
}

/// A ZIP file of stored or deflated members.
struct ZipBuilder {
  struct Member {
    var name: String
    var contents: [UInt8]
    var isDeflated = false
    /// What the directory says; nil for the truth.
    var claimedSize: Int?
  }

  var members: [Member]

  func file() throws -> [UInt8] {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for member in members {
      let packed = member.isDeflated ? try Self.deflated(member.contents) : member.contents
      let name = Array(member.name.utf8)
      let facts =
        bytes(UInt16(member.isDeflated ? 8 : 0)) + bytes(UInt32(0))
        + bytes(dlf_crc32(0, member.contents, member.contents.count)) + bytes(UInt32(packed.count))
        + bytes(UInt32(member.claimedSize ?? member.contents.count)) + bytes(UInt16(name.count)) + bytes(UInt16(0))
      directory +=
        bytes(UInt32(0x0201_4b50)) + bytes(UInt16(20)) + bytes(UInt16(20)) + bytes(UInt16(0)) + facts
        + bytes(UInt16(0)) + bytes(UInt32(0)) + bytes(UInt32(0)) + bytes(UInt32(file.count)) + name
      file += bytes(UInt32(0x0403_4b50)) + bytes(UInt16(20)) + bytes(UInt16(0)) + facts + name + packed
    }
    let count = bytes(UInt16(members.count))
    return file + directory + bytes(UInt32(0x0605_4b50)) + bytes(UInt32(0)) + count + count
      + bytes(UInt32(directory.count)) + bytes(UInt32(file.count)) + bytes(UInt16(0))
  }

  private static func deflated(_ contents: [UInt8]) throws -> [UInt8] {
    var output: UnsafeMutablePointer<UInt8>?
    var count = 0
    var error = dlf_error()
    try #require(dlf_deflate(contents, contents.count, &output, &count, &error) == DLF_OK)
    defer { dlf_free(output) }
    return Array(UnsafeBufferPointer(start: output, count: count))
  }
}

/// A WAVE file with one format and one data chunk.
func wave(code: UInt16, channels: UInt16, bits: UInt16, _ data: [UInt8], dataSize: UInt32? = nil) -> [UInt8] {
  let frame = UInt16(truncatingIfNeeded: Int(channels) * Int(bits) / 8)
  let format =
    bytes(code) + bytes(channels) + bytes(UInt32(16_000)) + bytes(UInt32(16_000) &* UInt32(frame)) + bytes(frame)
    + bytes(bits)
  let chunks =
    Array("fmt ".utf8) + bytes(UInt32(format.count)) + format + Array("LIST".utf8) + bytes(UInt32(3)) + [1, 2, 3, 0]
    + Array("data".utf8) + bytes(dataSize ?? UInt32(data.count)) + data
  return Array("RIFF".utf8) + bytes(UInt32(chunks.count + 4)) + Array("WAVE".utf8) + chunks
}

func png(_ pixels: [UInt8], _ height: Int, _ width: Int, channels: Int) throws -> [UInt8] {
  var copy = pixels
  return try copy.withUnsafeMutableBufferPointer { buffer in
    var image = dlf_image(pixels: buffer.baseAddress, width: width, height: height, channels: channels)
    var encoded: UnsafeMutablePointer<UInt8>?
    var count = 0
    var error = dlf_error()
    try #require(dlf_png_encode(&image, &encoded, &count, &error) == DLF_OK)
    defer { dlf_free(encoded) }
    return Array(UnsafeBufferPointer(start: encoded, count: count))
  }
}

/// A model of Neg nodes, one for each input.
func model(_ inputs: [(String, ValueType, Shape?)], properties: [String: String] = [:]) throws -> Model {
  var builder = GraphBuilder()
  builder.properties = properties
  for (name, type, shape) in inputs {
    let id = builder.input(name, type, shape)
    builder.output(builder.node("Identity", [id]))
  }
  return try builder.model()
}

/// Expects an error of a code whose text holds every one of the given words.
func expectError(
  _ code: DLRTError.Code, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  } catch let error as DLRTError {
    #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
    for word in words { #expect(error.description.contains(word), "\(error)", sourceLocation: sourceLocation) }
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
  }
}

/// A folder that goes away with the test.
final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/dlrt-test-XXXXXX".utf8CString)
    path = try #require(mkdtemp(&template).map { String(cString: $0) })
  }

  func write(_ name: String, _ contents: [UInt8]) throws -> String {
    try NewTextFile.write(contents, to: "\(path)/\(name)")
    return "\(path)/\(name)"
  }

  deinit {
    for name in WholeFile.names(in: path) { unlink("\(path)/\(name)") }
    rmdir(path)
  }
}
