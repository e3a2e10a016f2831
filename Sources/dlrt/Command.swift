/// A subcommand: what it is called, what it takes, what it does.
protocol Command: Sendable {
  static var name: String { get }
  static var summary: String { get }
  static var positionals: Positionals { get }
  static var options: [Option] { get }
  static var examples: [String] { get }
  static func run(_ arguments: Arguments) throws -> Outcome
}

/// How many arguments without a dash a command takes, and what they are.
struct Positionals {
  let name: String
  let count: ClosedRange<Int>
}

struct Option {
  let name: String
  /// What the value is called in the help; nil for a flag.
  let value: String?
  let help: String
  var repeats = false

  static func flag(_ name: String, _ help: String) -> Option { Option(name: name, value: nil, help: help) }

  static func value(_ name: String, _ value: String, _ help: String, repeats: Bool = false) -> Option {
    Option(name: name, value: value, help: help, repeats: repeats)
  }
}

extension Command {
  static var help: String {
    let spellings = options.map { option in option.value.map { "\(option.name) \($0)" } ?? option.name }
    let width = spellings.map(\.count).max() ?? 0
    let lines = zip(options, spellings).map { option, spelling in
      "  \(spelling.padded(to: width))  \(option.help)"
    }
    return """
      \(summary)

      Usage: dlrt \(name) \(positionals.name) [OPTION]…

      Options:
      \(lines.joined(separator: "\n"))

      Examples:
      \(examples.map { "  " + $0 }.joined(separator: "\n"))
      """
  }
}

extension String {
  func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
  func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
