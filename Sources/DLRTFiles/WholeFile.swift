import DLRT
import Glibc

/// Reads files at once.
package enum WholeFile {
  /// Larger inputs are refused; a device or pipe could go on for ever.
  private static let mostBytes = 1 << 32

  package static func read(_ path: String) throws -> [UInt8] {
    guard let file = fopen(path, "rbe") else {
      throw DLRTError(.io, "cannot open '\(path)': \(String(cString: strerror(errno)))")
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    let block = 1 << 16
    while true {
      let start = bytes.count
      guard start < mostBytes else { throw DLRTError(.limitExceeded, "'\(path)' is larger than \(mostBytes) bytes") }
      bytes.append(contentsOf: repeatElement(0, count: block))
      let count = bytes[start...].withUnsafeMutableBytes { fread($0.baseAddress, 1, block, file) }
      bytes.removeLast(block - count)
      if count < block {
        guard ferror(file) == 0 else {
          throw DLRTError(.io, "cannot read '\(path)': \(String(cString: strerror(errno)))")
        }
        return bytes
      }
    }
  }

  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// The path from the root on, without links; nil where there is nothing.
  static func resolve(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// The names in a folder, sorted; empty when there is none.
  package static func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
