import DLRTGraph
import Glibc

/// A file that appears under its name only when it is complete, with the mode of one that it replaces. A link keeps its
/// place: what it leads to is replaced.
///
/// Pipes, devices and the process's own output cannot be replaced; they get the bytes as they come.
package final class NewFile {
  private let path: String
  /// What is replaced in the end.
  private let target: String
  private var descriptor: Int32 = -1
  /// The name until then; nil when there is no such file (any more).
  private var temporary: String?

  package init(path: String) throws(DLRTError) {
    self.path = path
    var status = stat()
    let isThere = stat(path, &status) == 0
    let place = isThere ? Self.resolve(path) : nil
    target = place ?? path
    var link = stat()
    let leadsNowhere = !isThere && lstat(path, &link) == 0
    if leadsNowhere || isThere && (place == nil || status.st_mode & S_IFMT != S_IFREG || Self.isOutput(status)) {
      descriptor = Self.open(path, isThere ? status : nil)
      guard descriptor >= 0 else { throw .system("cannot open the file", path) }
      return
    }
    for attempt in 0..<100 {
      let candidate = "\(target).\(getpid())-\(attempt).tmp"
      let mode = isThere ? status.st_mode & 0o777 : 0o666
      descriptor = Glibc.open(candidate, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
      if descriptor >= 0 {
        temporary = candidate
        // The mask of the process has taken its part of the mode.
        if isThere { fchmod(descriptor, mode) }
        return
      }
      if errno != EEXIST { break }
    }
    throw .system("cannot create the file", path)
  }

  /// For writing in place: a descriptor of the process's own where it has one, whose position others share.
  private static func open(_ path: String, _ status: stat?) -> Int32 {
    for output in [STDOUT_FILENO, STDERR_FILENO] {
      if let status, isSame(status, output) { return fcntl(output, F_DUPFD_CLOEXEC, 0) }
    }
    guard let status else { return Glibc.open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_CREAT, 0o666) }
    // A file that has no name any more is emptied first.
    let cut = status.st_mode & S_IFMT == S_IFREG ? O_TRUNC : 0
    return Glibc.open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | cut)
  }

  private static func isOutput(_ status: stat) -> Bool {
    isSame(status, STDOUT_FILENO) || isSame(status, STDERR_FILENO)
  }

  private static func isSame(_ status: stat, _ descriptor: Int32) -> Bool {
    var other = stat()
    return fstat(descriptor, &other) == 0 && other.st_dev == status.st_dev && other.st_ino == status.st_ino
  }

  /// nil where a descriptor leads to a file without a name. A folder whose name is not UTF-8 is reached as it was given.
  private static func resolve(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(validatingCString: resolved) ?? path
  }

  /// - Throws: `io` with the system's reason.
  package func append(_ bytes: UnsafeRawBufferPointer) throws(DLRTError) {
    var rest = bytes
    while rest.count > 0 {
      let written = write(descriptor, rest.baseAddress, rest.count)
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw .system("cannot write the file", path) }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
  }

  /// Gives the file its name, in the place of one that had it.
  package func commit() throws(DLRTError) {
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0 else { throw .system("cannot write the file", path) }
    guard let temporary else { return }
    guard rename(temporary, target) == 0 else { throw .system("cannot write the file", path) }
    self.temporary = nil
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if let temporary { unlink(temporary) }
  }
}
