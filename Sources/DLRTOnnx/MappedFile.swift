import DLRTGraph
import Glibc

/// A file's bytes, read by the system when they are touched. Tensors that borrow them hold the file.
///
/// Whoever truncates the file meanwhile ends the process; replacing it by renaming is safe.
package final class MappedFile: Sendable {
  package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

  /// Maps a regular file.
  package convenience init(path: String) throws(DLRTError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw .system("cannot open the file", path) }
    defer { close(descriptor) }
    try self.init(descriptor: descriptor, path: path)
  }

  /// Maps what a descriptor refers to; `path` is for messages.
  package init(descriptor: Int32, path: String) throws(DLRTError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .system("cannot inspect the file", path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw DLRTError(.io, "cannot map '\(path)'", expected: "a regular file")
    }
    let size = Int(status.st_size)
    // The system maps no empty range.
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      throw .system("cannot map the file", path)
    }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  deinit {
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
}

extension DLRTError {
  /// An error of the last system call.
  static func system(_ what: String, _ path: String, code: Int32 = errno) -> DLRTError {
    DLRTError(.io, "\(what) '\(path)': \(String(cString: strerror(code)))")
  }
}
