import Glibc
import Synchronization

/// Standard output and error.
enum Terminal {
  static func print(_ text: String, terminator: String = "\n") {
    write(text.harmless(keepsLines: true) + terminator, to: STDOUT_FILENO)
  }

  static func print(_ json: JSON) {
    json.write { write($0, to: STDOUT_FILENO) }
    write("\n", to: STDOUT_FILENO)
  }

  static func error(_ text: String) { write(text.harmless(keepsLines: true) + "\n", to: STDERR_FILENO) }

  /// Whether a person looks at standard error, so that progress is worth showing.
  static let showsProgress = isatty(STDERR_FILENO) == 1

  /// One line that overwrites itself.
  static func progress(_ text: String) {
    if showsProgress { write("\r\u{1b}[K" + text, to: STDERR_FILENO) }
  }

  static func endProgress() {
    if showsProgress { write("\r\u{1b}[K", to: STDERR_FILENO) }
  }

  /// Whether a part of the output could not be written, to a full disk for instance.
  static var hasLostOutput: Bool { lostOutput.load(ordering: .relaxed) }
  private static let lostOutput = Atomic<Bool>(false)

  private static func write(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        // A reader that has seen enough closes the pipe.
        if descriptor == STDOUT_FILENO, errno != EPIPE { lostOutput.store(true, ordering: .relaxed) }
        return
      }
      start += count
    }
  }
}

extension String {
  /// The text without what commands a terminal or, unless they stay, fakes lines: a model's names may hold anything.
  func harmless(keepsLines: Bool = false) -> String {
    func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
      scalar.isControl && !(keepsLines && (scalar == "\n" || scalar == "\t"))
    }
    guard unicodeScalars.contains(where: isHarmful) else { return self }
    var result = ""
    for scalar in unicodeScalars {
      if isHarmful(scalar) {
        result += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
