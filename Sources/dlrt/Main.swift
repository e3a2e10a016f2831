import DLRT
import DLRTKernels
import Glibc

/// How the command ends; scripts may branch on it.
enum Outcome: Int32 {
  case fine = 0
  case checkFailed = 1
  case usage = 2
  case modelRefused = 3
  case inputRefused = 4
  case limit = 5
}

/// Finds the subcommand, and turns errors into a line on standard error and an exit code.
enum Main {
  static var commands: [any Command.Type] {
    [
      RunCommand.self, TestCommand.self, BenchCommand.self, InfoCommand.self, ProfileCommand.self,
      OperatorsCommand.self,
    ]
  }

  static func run() -> Outcome {
    // A reader that closes the pipe early is no reason to die by a signal.
    signal(SIGPIPE, SIG_IGN)
    let outcome = answer()
    guard Terminal.hasLostOutput else { return outcome }
    Terminal.error("dlrt: cannot write to standard output")
    return outcome == .fine ? .checkFailed : outcome
  }

  private static func answer() -> Outcome {
    var arguments: [String] = []
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let word = CommandLine.unsafeArgv[index] else { break }
      // Repaired, it would be the name of another file.
      guard let argument = String(validatingCString: word) else {
        Terminal.error("dlrt: argument \(index) is not UTF-8: '\(String(cString: word))'")
        return .usage
      }
      arguments.append(argument)
    }
    return answer(arguments)
  }

  private static func answer(_ arguments: [String]) -> Outcome {
    guard let name = arguments.first else {
      Terminal.error(overview)
      return .usage
    }
    switch name {
    case "--help", "-h", "help":
      guard let topic = arguments.dropFirst().first else {
        Terminal.print(overview)
        return .fine
      }
      guard let command = command(topic) else { return unknown(topic) }
      Terminal.print(command.help)
      return .fine
    case "--version":
      Terminal.print("dlrt \(Version.text)")
      return .fine
    default: break
    }
    guard let command = command(name) else { return unknown(name) }
    let rest = Array(arguments.dropFirst())
    if rest.contains("--help") || rest.contains("-h") {
      Terminal.print(command.help)
      return .fine
    }
    return run(command, rest)
  }

  private static func unknown(_ name: String) -> Outcome {
    Terminal.error("dlrt: there is no command '\(name)'\n\n\(overview)")
    return .usage
  }

  private static func command(_ name: String) -> (any Command.Type)? { commands.first { $0.name == name } }

  private static func run(_ command: any Command.Type, _ arguments: [String]) -> Outcome {
    do {
      let parsed = try Arguments(arguments, options: command.options, positionals: command.positionals)
      try checkEnvironment()
      return try command.run(parsed)
    } catch let error as UsageError {
      Terminal.error("dlrt \(command.name): \(error.message)\nSee dlrt \(command.name) --help.")
      return .usage
    } catch let error as ModelError {
      Terminal.error("dlrt \(command.name): \(error)")
      return error.outcome
    } catch let error as PluginError {
      Terminal.error("dlrt \(command.name): \(error)")
      return .inputRefused
    } catch let error as DLRTError {
      Terminal.error("dlrt \(command.name): \(error)")
      return outcome(of: error)
    } catch {
      Terminal.error("dlrt \(command.name): \(error)")
      return .checkFailed
    }
  }

  /// The library would go on with the machine's best kernels.
  private static func checkEnvironment() throws {
    if let pairs = getenv("DLRT_PAIRS").map({ String(cString: $0) }), !["", "0", "1"].contains(pairs) {
      throw UsageError("DLRT_PAIRS needs 0 or 1, got '\(pairs)'")
    }
    guard let level = getenv("DLRT_ISA").map({ String(cString: $0) }), !level.isEmpty, ISA(name: level) == nil else {
      return
    }
    let names = ISA.allCases.map(\.name).joined(separator: ", ")
    throw UsageError("DLRT_ISA needs one of \(names), got '\(level)'")
  }

  static func outcome(of error: DLRTError) -> Outcome {
    switch error.code {
    case .invalidModel, .unsupportedModel: .modelRefused
    case .invalidInput, .io: .inputRefused
    case .invalidArgument: .usage
    case .limitExceeded, .cancelled: .limit
    case .internalError, .operatorFailed: .checkFailed
    }
  }

  private static var overview: String {
    let width = commands.map { $0.name.count }.max() ?? 0
    let list = commands.map { command in
      "  \(command.name.padded(to: width))  \(command.summary)"
    }
    return """
      dlrt runs ONNX models.

      Usage: dlrt COMMAND [OPTION]…

      \(list.joined(separator: "\n"))

      dlrt COMMAND --help explains a command; dlrt --version prints the version.
      Exit codes: 0 fine, 1 a check failed, 2 usage, 3 model refused, 4 input refused, 5 limit or cancelled.
      DLRT_ISA=baseline|avx2|avx512|avx512vnni selects a lower instruction set than the machine's best.
      """
  }
}
