import DLRTOnnx

/// Writes text files that appear only when they are complete.
package enum NewTextFile {
  package static func write(_ text: String, to path: String) throws {
    try write(Array(text.utf8), to: path)
  }

  package static func write(_ bytes: [UInt8], to path: String) throws {
    let file = try NewFile(path: path)
    try bytes.withUnsafeBytes { try file.append($0) }
    try file.commit()
  }
}
