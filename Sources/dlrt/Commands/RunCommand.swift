import DLRT
import DLRTFiles

/// `dlrt run`: runs a model on files and shows what comes out.
enum RunCommand: Command {
  static let name = "run"
  static let summary = "Run a model on files (or on random inputs) and show its outputs"
  static let positionals = Positionals(name: "MODEL", count: 1...1)
  static let options: [Option] = [
    .input,
    .inputs,
    .value("--outputs", "DIR", "write output_0.pb, output_1.pb, … in the model's order"),
    .dim,
    .shape,
    .threads,
    .value("--top", "K", "show the K best classes of each output of scores (default 5)"),
    .value("--labels", "FILE", "names of the classes, one a line"),
    .value("--memory-limit", "MB", "refuse a run that would need more memory"),
    .value("--timeout", "SECONDS", "stop a run that takes longer"),
    .seed,
    .noOptimize,
    .plugin,
    .json,
  ]
  static let examples = [
    "dlrt run samples/digits/digits.onnx --input samples/digits/images/7.png",
    "dlrt run model.onnx --input x=x.npy --outputs results --json",
    "dlrt run model.onnx --dim N=4 --seed 7",
    "dlrt run model.onnx --plugin operators.so",
  ]

  static func run(_ arguments: Arguments) throws -> Outcome {
    let top = try arguments.int("--top", in: 1...1_000_000) ?? 5
    let seed = try arguments.seed("--seed") ?? 0
    let maker = try arguments.maker()
    let threads = try arguments.threads()
    let limit = try arguments.int("--memory-limit", in: 1...1 << 40)
    let timeout = try arguments.double("--timeout", atLeast: 0)
    let model = try arguments.model()
    try arguments.check(maker, model, name)
    let labels = try arguments.string("--labels").map(Labels.init(path:)) ?? Labels(model.metadata)
    let session = try Session(
      model, options: SessionOptions(threads: threads, memoryLimit: limit.map { $0 << 20 }, seed: seed))
    let (inputs, randomNames) = try arguments.inputs(of: model, maker)
    if !randomNames.isEmpty && !arguments.has("--json") {
      let names = randomNames.map { "'\($0)'" }.joined(separator: ", ")
      Terminal.error("dlrt run: random values (seed \(seed)) for \(names)")
    }
    // UInt64 of a huge number of seconds would trap.
    let nanoseconds = timeout.map { UInt64(min($0, 1e9) * 1e9) }
    let outputs = try session.run(inputs, options: RunOptions(timeoutNanoseconds: nanoseconds))
    let printer = OutputPrinter(labels: labels, top: top, topIsAsked: arguments.string("--top") != nil)
    if arguments.has("--json") {
      Terminal.print(printer.json(outputs, of: model, random: randomNames, seed: seed))
    } else {
      printer.show(outputs, of: model)
    }
    // What cannot be written has been shown at least.
    if let folder = arguments.string("--outputs") { try OutputFolder.write(outputs, of: model, to: folder) }
    return .fine
  }
}
