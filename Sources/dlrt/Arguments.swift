import DLRT
import DLRTFiles
import DLRTPlugin

/// A mistake in how the command was called.
struct UsageError: Error {
  let message: String
  init(_ message: String) { self.message = message }
}

/// The arguments of one call, checked against what the command declares. Options may stand anywhere, as `--name value`
/// or `--name=value`; after `--` everything is a positional argument.
struct Arguments {
  private(set) var positionals: [String] = []
  private var values: [String: [String]] = [:]
  private var flags: Set<String> = []

  init(_ arguments: [String], options: [Option], positionals expected: Positionals) throws {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      if argument == "--" {
        positionals += rest
        break
      }
      guard argument.hasPrefix("-"), argument != "-" else {
        positionals.append(argument)
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let option = options.first(where: { $0.name == parts[0] }) else {
        let similar = options.first { $0.name.hasPrefix(parts[0]) || parts[0].hasPrefix($0.name) }
        let hint = similar.map { "; did you mean '\($0.name)'?" } ?? ""
        throw UsageError("there is no option '\(parts[0])'\(hint)")
      }
      if option.value == nil {
        guard parts.count == 1 else { throw UsageError("'\(option.name)' takes no value") }
        flags.insert(option.name)
        continue
      }
      guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
        throw UsageError("'\(option.name)' needs a value")
      }
      if values[option.name] != nil && !option.repeats { throw UsageError("'\(option.name)' is given twice") }
      values[option.name, default: []].append(value)
    }
    guard expected.count.contains(positionals.count) else {
      throw UsageError("expected \(expected.name), got \(positionals.count) arguments")
    }
  }

  func has(_ flag: String) -> Bool { flags.contains(flag) }
  func all(_ name: String) -> [String] { values[name] ?? [] }
  func string(_ name: String) -> String? { values[name]?.last }

  func int(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let text = string(name) else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw UsageError("'\(name)' needs a whole number from \(range.lowerBound) to \(range.upperBound), got '\(text)'")
    }
    return value
  }

  func seed(_ name: String) throws -> UInt64? {
    guard let text = string(name) else { return nil }
    guard let value = UInt64(text) else { throw UsageError("'\(name)' needs a whole number, got '\(text)'") }
    return value
  }

  func double(_ name: String, atLeast least: Double) throws -> Double? {
    guard let text = string(name) else { return nil }
    guard let value = Double(text), value >= least, value.isFinite else {
      throw UsageError("'\(name)' needs a number of at least \(least), got '\(text)'")
    }
    return value
  }

  /// `NAME=V` options as a table; the last of a name counts, so that scripts may put a default first.
  func dims(_ name: String = "--dim") throws -> [String: Int] {
    var result: [String: Int] = [:]
    for text in all(name) {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, let size = Int(parts[1]), size >= 0 else {
        throw UsageError("'\(name)' needs NAME=SIZE, got '\(text)'")
      }
      result[parts[0]] = size
    }
    return result
  }

  /// `NAME:1x3x224x224` options as a table, in which the last of a name counts; `NAME:` alone is a scalar.
  func shapes(_ name: String = "--shape") throws -> [String: [Int]] {
    var result: [String: [Int]] = [:]
    for text in all(name) {
      // Input names may contain colons themselves.
      guard let colon = text.lastIndex(of: ":") else {
        throw UsageError("'\(name)' needs NAME:1x3x224x224, got '\(text)'")
      }
      let list = text[text.index(after: colon)...]
      let sizes = list.isEmpty ? [] : list.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
      guard sizes.allSatisfy({ ($0 ?? -1) >= 0 }) else {
        throw UsageError("'\(name)' needs NAME:1x3x224x224, got '\(text)'")
      }
      result[String(text[..<colon])] = sizes.compactMap { $0 }
    }
    return result
  }
}

/// Options that several commands share.
extension Option {
  static let input = Option.value(
    "--input", "[NAME=]FILE", "an input: .npy, .npz, .pb, .png, .jpg, .wav or .json; may be repeated", repeats: true)
  static let inputs = Option.value("--inputs", "DIR", "read input_0.pb, input_1.pb, … of an ONNX test data set")
  static let threads = Option.value("--threads", "N", "threads of a run (default: the process's CPUs)")
  static let dim = Option.value("--dim", "NAME=V", "size of a symbolic dimension; may be repeated", repeats: true)
  static let shape = Option.value(
    "--shape", "NAME:1x3x8x8", "shape of an input; may be repeated", repeats: true)
  static let json = Option.flag("--json", "print JSON, for programs")
  static let noOptimize = Option.flag("--no-optimize", "run the graph as the file has it")
  static let plugin = Option.value(
    "--plugin", "FILE", "take operators from a plugin; may be repeated", repeats: true)
  static let seed = Option.value("--seed", "N", "start of random numbers (default 0)")
}

extension Arguments {
  /// What makes the inputs that nobody gives.
  func maker() throws -> InputMaker {
    var maker = InputMaker(seed: try seed("--seed") ?? 0)
    maker.dims = try dims()
    maker.shapes = try shapes()
    return maker
  }

  /// Refuses shapes of inputs that the model does not have. A dimension that it does not have may be meant for another
  /// model of the same script, but it may be a slip, too.
  func check(_ maker: InputMaker, _ model: Model, _ command: String) throws {
    try maker.check(model)
    let (unknown, known) = maker.strangers(to: model)
    guard !unknown.isEmpty else { return }
    let names = unknown.map { "'\($0)'" }.joined(separator: ", ")
    let others = known.isEmpty ? "none" : known.map { "'\($0)'" }.joined(separator: ", ")
    Terminal.error("dlrt \(command): the model has no dimension \(names); it has \(others)")
  }
}

extension Arguments {
  /// The model's inputs in its order, from the files that `--inputs` and `--input` name, and the names of those that the
  /// maker makes.
  func inputs(of model: Model, _ maker: InputMaker) throws -> (values: [Value?], random: [String]) {
    var reader = InputReader(model: model, maker: maker)
    if let folder = string("--inputs") { try reader.readFolder(folder) }
    for text in all("--input") { try reader.read(text) }
    return try reader.inputs()
  }
}

/// Why a model's file was not taken.
struct ModelError: Error, CustomStringConvertible {
  let path: String
  let cause: DLRTError

  var description: String { "\(path): \(cause)" }
  var outcome: Outcome { cause.code == .io ? .modelRefused : Main.outcome(of: cause) }
}

/// Why a plugin was not taken, whatever it did wrong.
struct PluginError: Error, CustomStringConvertible {
  let description: String
}

extension Arguments {
  /// How models are to be loaded.
  func modelOptions() throws -> Model.Options {
    let registry = PluginRegistry()
    for path in all("--plugin") {
      do {
        try registry.load(path)
      } catch {
        throw PluginError(description: "\(error)")
      }
    }
    return Model.Options(optimizes: !has("--no-optimize"), operators: registry.operators)
  }

  /// The model that the first argument names.
  func model() throws -> Model {
    let options = try modelOptions()
    do {
      return try Model(contentsOf: positionals[0], options: options)
    } catch let error as DLRTError {
      throw ModelError(path: positionals[0], cause: error)
    }
  }

  func threads() throws -> Int? { try int("--threads", in: 1...1024) }
}
