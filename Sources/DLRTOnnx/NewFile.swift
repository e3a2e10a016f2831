import DLRTGraph
import Glibc

/// A file that appears under its name only when it is complete.
package final class NewFile {
  private let path: String
  private var descriptor: Int32 = -1
  /// The name until then; nil when there is no such file (any more).
  private var temporary: String?

  package init(path: String) throws(DLRTError) {
    self.path = path
    for attempt in 0..<100 {
      let candidate = "\(path).\(getpid())-\(attempt).tmp"
      descriptor = open(candidate, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if descriptor >= 0 {
        temporary = candidate
        return
      }
      if errno != EEXIST { break }
    }
    throw .system("cannot create the file", path)
  }

  /// False when the system refuses the bytes; `errno` says why.
  package func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes
    while rest.count > 0 {
      let written = write(descriptor, rest.baseAddress, rest.count)
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { return false }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
    return true
  }

  /// Gives the file its name, in the place of one that had it.
  package func commit() throws(DLRTError) {
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0, let temporary, rename(temporary, path) == 0 else {
      throw .system("cannot write the file", path)
    }
    self.temporary = nil
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if let temporary { unlink(temporary) }
  }
}
