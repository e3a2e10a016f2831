import COnnx
import DLRTGraph

/// A parsed message, and whoever keeps the bytes that its payloads point into.
final class Document {
  let pointer: OpaquePointer
  let owner: AnyObject?

  init(_ kind: COnnxKind, bytes: UnsafeRawBufferPointer, owner: AnyObject?) throws(DLRTError) {
    var error = COnnxError()
    guard let parsed = connx_parse(kind, bytes.baseAddress, bytes.count, &error) else { throw DLRTError(error) }
    pointer = parsed
    self.owner = owner
  }

  deinit { connx_free(pointer) }
}

extension DLRTError {
  init(_ error: COnnxError) {
    let text = withUnsafePointer(to: error) { String(cString: connx_error_message($0)) }
    switch error.code {
    case COnnxCodeLimit, COnnxCodeMemory: self.init(.limitExceeded, text)
    case COnnxCodeSink: self.init(.io, text)
    default: self.init(.invalidModel, "not a valid protobuf message: \(text)")
    }
  }
}
