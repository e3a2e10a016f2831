import CDLRT
import DLRT
import DLRTPlugin
import Glibc

/// The message of the last failure, one per thread.
private enum LastError {
  private static let key: pthread_key_t? = {
    var key = pthread_key_t()
    return pthread_key_create(&key, { free($0) }) == 0 ? key : nil
  }()

  static var message: UnsafePointer<CChar>? {
    guard let key, let stored = pthread_getspecific(key) else { return nil }
    return UnsafePointer(stored.assumingMemoryBound(to: CChar.self))
  }

  static func set(_ message: String) {
    guard let key else { return }
    let old = pthread_getspecific(key)
    // Bytes of a model may end up in a message: a zero among them ends it, as C text must.
    if let copy = strdup(message), pthread_setspecific(key, copy) == 0 { free(old) }
  }
}

/// A failure that only C callers can meet.
struct BufferTooSmall: Error {
  let output: String
  let needed: Int
  let capacity: Int
}

/// Runs the body of a C function: what it throws becomes a status and the thread's message.
func reporting(_ body: () throws -> Void) -> dlrt_status {
  do {
    try body()
    return DLRT_OK
  } catch let error as DLRTError {
    LastError.set(error.description)
    return dlrt_status(rawValue: UInt32(error.code.rawValue))
  } catch let error as BufferTooSmall {
    LastError.set("output '\(error.output)' takes \(error.needed) bytes; its buffer has \(error.capacity)")
    return DLRT_ERROR_BUFFER_TOO_SMALL
  } catch {
    LastError.set("\(error)")
    return DLRT_ERROR_INTERNAL
  }
}

/// The value behind a pointer that must not be null.
func required<Value>(_ value: Value?, _ name: StaticString) throws -> Value {
  guard let value else { throw DLRTError(.invalidArgument, "\(name) is NULL") }
  return value
}

/// The text behind a pointer that must not be null. What is not UTF-8 is refused: repaired, it would be another path.
func text(_ start: UnsafePointer<CChar>?, _ name: StaticString) throws -> String {
  let start = try required(start, name)
  guard let text = String(validatingCString: start) else {
    throw DLRTError(.invalidArgument, "\(name) is not UTF-8", got: "'\(String(cString: start))'")
  }
  return text
}

@c @implementation
public func dlrt_last_error() -> UnsafePointer<CChar>? { LastError.message ?? text("") }

@c @implementation
public func dlrt_status_name(_ status: dlrt_status) -> UnsafePointer<CChar>? {
  switch status {
  case DLRT_OK: text("OK")
  case DLRT_ERROR_INVALID_MODEL: text("INVALID_MODEL")
  case DLRT_ERROR_UNSUPPORTED_MODEL: text("UNSUPPORTED_MODEL")
  case DLRT_ERROR_INVALID_INPUT: text("INVALID_INPUT")
  case DLRT_ERROR_INVALID_ARGUMENT: text("INVALID_ARGUMENT")
  case DLRT_ERROR_LIMIT_EXCEEDED: text("LIMIT_EXCEEDED")
  case DLRT_ERROR_CANCELLED: text("CANCELLED")
  case DLRT_ERROR_IO: text("IO")
  case DLRT_ERROR_INTERNAL: text("INTERNAL")
  case DLRT_ERROR_OPERATOR_FAILED: text("OPERATOR_FAILED")
  case DLRT_ERROR_BUFFER_TOO_SMALL: text("BUFFER_TOO_SMALL")
  default: text("UNKNOWN")
  }
}
