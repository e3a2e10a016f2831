import DLRTGraph
import Glibc

/// A file's bytes, read by the system when they are touched. Tensors that borrow them hold the file.
///
/// Whoever truncates the file meanwhile ends the process; replacing it by renaming is safe.
package final class MappedFile: Sendable {
  package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
  /// Stays open for those who copy parts of the file.
  private let descriptor: Int32
  private let path: String

  /// Maps a regular file.
  package convenience init(path: String) throws(DLRTError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw .system("cannot open the file", path) }
    defer { close(descriptor) }
    try self.init(descriptor: descriptor, path: path)
  }

  /// Maps what a descriptor refers to, which stays the caller's; `path` is for messages.
  package init(descriptor: Int32, path: String) throws(DLRTError) {
    let kept = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard kept >= 0 else { throw .system("cannot keep the file open", path) }
    do {
      bytes = try Self.map(kept, path)
    } catch {
      close(kept)
      throw error
    }
    self.descriptor = kept
    self.path = path
  }

  private static func map(_ descriptor: Int32, _ path: String) throws(DLRTError) -> UnsafeRawBufferPointer {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .system("cannot inspect the file", path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw DLRTError(.io, "cannot map '\(path)'", expected: "a regular file")
    }
    let size = Int(status.st_size)
    // The system maps no empty range.
    guard size > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      throw .system("cannot map the file", path)
    }
    return UnsafeRawBufferPointer(start: start, count: size)
  }

  deinit {
    close(descriptor)
    if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
  }
}

extension MappedFile: RestorableMemory {
  private static let page = max(1, sysconf(Int32(_SC_PAGESIZE)))

  /// Whole pages within the range leave memory; touching them reads the file again.
  package func release(_ range: UnsafeRawBufferPointer) {
    guard let start = range.baseAddress else { return }
    let first = (Int(bitPattern: start) + Self.page - 1) / Self.page * Self.page
    let last = (Int(bitPattern: start) + range.count) / Self.page * Self.page
    if last > first, let address = UnsafeMutableRawPointer(bitPattern: first) {
      madvise(address, last - first, MADV_DONTNEED)
    }
  }

  /// Below, faults are too few to matter; above, whoever reads the bytes goes step by step, lest all be in memory at once.
  private static let preparedBytes = 256 << 10...32 << 20

  package func prepare(_ range: UnsafeRawBufferPointer) {
    guard Self.preparedBytes.contains(range.count), let start = range.baseAddress else { return }
    let first = Int(bitPattern: start) / Self.page * Self.page
    let count = Int(bitPattern: start) + range.count - first
    // Where the system does not know the advice, pages come one by one.
    if let address = UnsafeMutableRawPointer(bitPattern: first) { madvise(address, count, MADV_POPULATE_READ) }
  }

  package func copy(_ range: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer) throws(DLRTError) {
    guard let start = range.baseAddress, let base = bytes.baseAddress else { return }
    var done = 0
    while done < range.count {
      let count = pread(descriptor, target + done, range.count - done, off_t(start - base + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        if count < 0 { throw .system("cannot read the file", path) }
        throw DLRTError(.io, "the file '\(path)' has become shorter")
      }
      done += count
    }
  }
}

extension DLRTError {
  /// An error of the last system call.
  static func system(_ what: String, _ path: String, code: Int32 = errno) -> DLRTError {
    DLRTError(.io, "\(what) '\(path)': \(String(cString: strerror(code)))")
  }
}
