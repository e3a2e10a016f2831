import DLRTOnnx
import Glibc
import Testing

/// A directory with files, gone afterwards.
final class Folder {
  let path: String
  private var made: [String] = []

  init() throws {
    var template = Array("/tmp/dlrt-onnx-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? ""
    }
    try #require(!path.isEmpty)
  }

  deinit {
    for name in made.reversed() { remove(path + "/" + name) }
    rmdir(path)
  }

  /// The address of a name that is to be removed in the end.
  private func new(_ name: String) -> String {
    made.append(name)
    return path + "/" + name
  }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    let file = try NewFile(path: new(name))
    try bytes.withUnsafeBytes { try file.append($0) }
    try file.commit()
  }

  func make(_ name: String) { mkdir(new(name), 0o755) }
  func makePipe(_ name: String) { mkfifo(new(name), 0o600) }
  func link(_ name: String, to target: String) { symlink(target, new(name)) }
}
