import DLRT
import DLRTFiles
import DLRTGraph
import DLRTOnnx
import DLRTTestSupport
import Glibc
import Testing

/// What one call of the command did.
struct Answer {
  let code: Int32
  let output: String
  let errors: String

  var lines: [Substring] { output.split(separator: "\n") }
}

/// Calls the command that was built beside the tests.
enum RunningCommand {
  /// The folder of the test executable, which also has the command.
  private static let path: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = max(0, readlink("/proc/self/exe", &buffer, buffer.count))
    let own = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return own.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/dlrt"
  }()

  /// - Parameters:
  ///   - environment: variables beside those of the tests, as `NAME=VALUE`.
  ///   - output: where standard output goes instead of the answer.
  static func call(
    _ arguments: [String], environment: [String] = [], output: String? = nil, in folder: Folder
  ) throws -> Answer {
    try call(bytes: arguments.map { Array($0.utf8) }, environment: environment, output: output, in: folder)
  }

  /// Arguments that need not be UTF-8.
  static func call(
    bytes arguments: [[UInt8]], environment: [String] = [], output: String? = nil, in folder: Folder
  ) throws -> Answer {
    let files = ["stdout", "stderr"].map { "\(folder.path)/\($0).txt" }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (index, file) in [output ?? files[0], files[1]].enumerated() {
      posix_spawn_file_actions_addopen(&actions, Int32(index + 1), file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    }
    var words: [UnsafeMutablePointer<CChar>?] = [strdup(path)]
    for argument in arguments { words.append(strdup((argument + [0]).map { CChar(bitPattern: $0) })) }
    words.append(nil)
    let added: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) }
    defer { for word in words + added { free(word) } }
    // The first of two variables of one name counts.
    var variables = added
    var next: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = environ
    while let variable = next.pointee {
      variables.append(variable)
      next += 1
    }
    variables.append(nil)
    var process = pid_t()
    try #require(posix_spawn(&process, path, &actions, nil, &words, &variables) == 0, "cannot run \(path)")
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    try #require(status & 0x7f == 0, "ended by signal \(status & 0x7f)")
    func text(_ path: String) throws -> String { String(decoding: try WholeFile.read(path), as: UTF8.self) }
    return Answer(
      code: status >> 8 & 0xff, output: output == nil ? try text(files[0]) : "", errors: try text(files[1]))
  }
}

/// A folder with models, that goes away with the test.
final class Folder {
  let path: String

  init() throws {
    var template = Array("/tmp/dlrt-test-XXXXXX".utf8CString)
    path = try #require(mkdtemp(&template).map { String(cString: $0) })
  }

  func write(_ name: String, _ text: String) throws -> String {
    try NewTextFile.write(text, to: "\(path)/\(name)")
    return "\(path)/\(name)"
  }

  /// A model as a file.
  func model(_ name: String = "model.onnx", _ build: (inout GraphBuilder) throws -> Void) throws -> String {
    var builder = GraphBuilder()
    try build(&builder)
    try NewTextFile.write(builder.file(), to: "\(path)/\(name)")
    return "\(path)/\(name)"
  }

  /// y = −x for x: float [N, 3].
  func negation(_ name: String = "model.onnx") throws -> String {
    try model(name) { builder in
      let x = builder.input("x", .float32, [.symbol("N"), 3])
      builder.output(builder.node("Neg", [x], name: "negate"))
    }
  }

  func make(_ name: String) throws -> String {
    try #require(mkdir("\(path)/\(name)", 0o700) == 0)
    return "\(path)/\(name)"
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    for name in WholeFile.names(in: path) { remove("\(path)/\(name)") }
    if unlink(path) != 0 { rmdir(path) }
  }
}
