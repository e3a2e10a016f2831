import CFileFormats
import Testing

/// A failure of the C functions, so that tests can state which one they expect.
struct FormatFailure: Error, Equatable {
  let status: UInt32
  let message: String

  static func == (a: Self, b: Self) -> Bool { a.status == b.status }

  static func of(_ status: dlf_status) -> Self { Self(status: status.rawValue, message: "") }
}

/// Calls a C function and throws what it reports.
func checked(_ call: (UnsafeMutablePointer<dlf_error>) -> dlf_status) throws {
  var error = dlf_error()
  let status = call(&error)
  if status != DLF_OK {
    let message = withUnsafeBytes(of: &error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    #expect(!message.isEmpty)
    throw FormatFailure(status: status.rawValue, message: message)
  }
}

/// Takes over a buffer that a C function handed out.
func taking(_ buffer: UnsafeMutablePointer<UInt8>?, _ count: Int) -> [UInt8] {
  defer { dlf_free(buffer) }
  return Array(UnsafeBufferPointer(start: buffer, count: count))
}
