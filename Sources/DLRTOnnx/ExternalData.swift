import COnnx
import DLRTGraph
import Glibc

/// Tensor data in files beside the model. Each file is mapped once.
///
/// A file is taken from the model's own directory or, where the model was reached through a symbolic link (as in the
/// caches of model hubs), from the directory that the link leads to; never from elsewhere. The check is made by the very
/// call that opens the file.
final class ExternalData {
  private let modelPath: String
  private var files: [String: MappedFile] = [:]

  init(modelPath: String) { self.modelPath = modelPath }

  /// The bytes that a tensor's entries name, and the file that holds them.
  func bytes(of tensor: COnnxTensor, byteCount: Int, name: String) throws(DLRTError)
    -> (UnsafeRawPointer?, MappedFile)
  {
    let entries = try Entries(tensor.external, tensor: name)
    let file = try file(entries.location, tensor: name)
    let length = entries.length ?? byteCount
    guard length == byteCount else {
      throw DLRTError(
        .invalidModel, "external data does not fill the tensor", tensor: name, expected: "\(byteCount) bytes",
        got: "\(length)")
    }
    let (end, overflow) = entries.offset.addingReportingOverflow(length)
    guard !overflow, end <= file.bytes.count else {
      throw DLRTError(
        .invalidModel, "external data lies beyond its file's end", tensor: name,
        expected: "at most \(file.bytes.count) bytes in '\(entries.location)'",
        got: "\(length) bytes from \(entries.offset) on")
    }
    return (file.bytes.baseAddress.map { $0 + entries.offset }, file)
  }

  /// Gives up what reading has brought of the files.
  func releasePages() {
    for file in files.values { file.release(file.bytes) }
  }

  private func file(_ location: String, tensor: String) throws(DLRTError) -> MappedFile {
    if let known = files[location] { return known }
    let descriptor = try open(location, tensor: tensor)
    defer { close(descriptor) }
    let file = try MappedFile(descriptor: descriptor, path: location)
    files[location] = file
    return file
  }

  private func open(_ location: String, tensor: String) throws(DLRTError) -> Int32 {
    let directory = Self.directory(of: modelPath)
    let first = connx_open_beneath(directory, location)
    if first >= 0 { return first }
    if let resolved = Self.resolve(modelPath), let target = Self.resolve(directory + "/" + location) {
      let home = Self.directory(of: resolved)
      let prefix = home == "/" ? home : home + "/"
      if target.hasPrefix(prefix) {
        let second = connx_open_beneath(home, String(target.dropFirst(prefix.count)))
        if second >= 0 { return second }
      }
    }
    if -first == ENOENT, let resolved = Self.resolve(modelPath) {
      let beside = connx_open_beneath(Self.directory(of: resolved), location)
      if beside >= 0 { return beside }
    }
    let reason =
      switch -first {
      case EXDEV, ELOOP: "it lies outside the model's directory"
      case EINVAL: "it is not a regular file"
      default: String(cString: strerror(-first))
      }
    throw DLRTError(.invalidModel, "cannot open external data '\(location)': \(reason)", tensor: tensor)
  }

  private static func directory(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func resolve(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

/// The entries of `TensorProto.external_data`, checked.
private struct Entries {
  var location = ""
  var offset = 0
  var length: Int?

  init(_ list: COnnxEntryList, tensor: String) throws(DLRTError) {
    func fail(_ what: String, _ got: String) -> DLRTError {
      DLRTError(.invalidModel, "external data: \(what)", tensor: tensor, got: "'\(got)'")
    }
    var seen: Set<String> = []
    for entry in list.all {
      let key = entry.key.prose
      guard seen.insert(key).inserted else { throw fail("a key appears twice", key) }
      guard let value = try? entry.value.name(of: "a file") else { throw fail("\(key) is not text", entry.value.prose) }
      switch key {
      case "location": location = value
      case "offset", "length":
        guard let size = Self.size(value) else { throw fail("\(key) is not a size", value) }
        if key == "offset" { offset = size } else { length = size }
      case "checksum": break
      default: throw fail("unknown key", key)
      }
    }
    let parts = location.split(separator: "/", omittingEmptySubsequences: false)
    guard !location.isEmpty, !location.hasPrefix("/"), !parts.contains("..") else {
      throw fail("the location is not a relative path below the model's directory", location)
    }
    guard !parts.contains("_ORT_MEM_ADDR_") else { throw fail("the location is an address in memory", location) }
  }

  private static func size(_ text: String) -> Int? {
    text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
  }
}
