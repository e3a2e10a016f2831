import DLRT
import DLRTFiles

/// `dlrt test`: runs ONNX test folders and compares what comes out.
enum TestCommand: Command {
  static let name = "test"
  static let summary = "Run ONNX test folders (model.onnx with test_data_set_N) and compare the outputs"
  static let positionals = Positionals(name: "FOLDER…", count: 1...1_000_000)
  static let options: [Option] = [
    .value("--rtol", "R", "relative tolerance (default: 1e-3, or the case's own in a cases.json two folders up)"),
    .value("--atol", "A", "absolute tolerance (default: 1e-5, or the case's own)"),
    .value("--json", "FILE", "write the outcome of each case"),
    .threads,
    .noOptimize,
    .plugin,
    .flag("--quiet", "print only the last line"),
  ]
  static let examples = [
    "dlrt test onnx/backend/test/data/node/test_add",
    "dlrt test --json outcome.json models/*",
  ]

  static func run(_ arguments: Arguments) throws -> Outcome {
    let rtol = try arguments.double("--rtol", atLeast: 0)
    let atol = try arguments.double("--atol", atLeast: 0)
    let threads = try arguments.threads()
    let runner = TestRunner(
      modelOptions: try arguments.modelOptions(),
      sessionOptions: SessionOptions(threads: threads, seed: 0))
    var tolerances = ToleranceTable()
    var passed = 0
    var failed = 0
    var skipped = 0
    var list: [JSON] = []
    for path in arguments.positionals where !WholeFile.exists(path) { throw UsageError("there is no folder '\(path)'") }
    let folders = arguments.positionals.flatMap(TestFolder.folders(at:))
    // A table that cannot be read is an error before anything has run.
    let limits = try folders.map { folder in
      if let rtol, let atol { return Tolerance(relative: rtol, absolute: atol) }
      let own = try tolerances.tolerance(for: folder)
      return Tolerance(relative: rtol ?? own.relative, absolute: atol ?? own.absolute)
    }
    for (index, folder) in folders.enumerated() {
      Terminal.progress("\(index + 1)/\(folders.count) \(folder.harmless())")
      let verdict = runner.run(folder, limits[index])
      var members: [(String, JSON)] = [("folder", .string(folder))]
      switch verdict {
      case .passed:
        passed += 1
        members.append(("result", .string("passed")))
      case .failed(let why):
        failed += 1
        Terminal.endProgress()
        if !arguments.has("--quiet") { Terminal.print("FAILED \(folder.harmless()): \(why)") }
        members += [("result", .string("failed")), ("message", .string(why))]
      case .skipped(let why):
        skipped += 1
        Terminal.endProgress()
        if !arguments.has("--quiet") { Terminal.print("skipped \(folder.harmless()): \(why)") }
        members += [("result", .string("skipped")), ("message", .string(why))]
      }
      list.append(.object(members))
    }
    Terminal.endProgress()
    let summary = "\(passed) passed, \(failed) failed, \(skipped) skipped"
    if let path = arguments.string("--json") {
      let text =
        JSON.object([
          ("passed", .int(passed)), ("failed", .int(failed)), ("skipped", .int(skipped)), ("cases", .array(list)),
        ]).text + "\n"
      do {
        try NewTextFile.write(text, to: path)
      } catch {
        Terminal.print(summary)
        throw error
      }
    }
    Terminal.print(summary)
    // Where nothing was run nothing is proved.
    return failed == 0 && passed > 0 ? .fine : .checkFailed
  }
}
