import DLRT
import DLRTFiles
import Glibc

/// `dlrt bench`: how long loading and running take.
enum BenchCommand: Command {
  static let name = "bench"
  static let summary = "Measure how long a model takes to load and to run"
  static let positionals = Positionals(name: "MODEL", count: 1...1)
  static let options: [Option] = [
    .input,
    .inputs,
    .threads,
    .value("--seconds", "S", "how long to measure (default 3)"),
    .value("--warmup", "N", "runs before measuring (default 2)"),
    .dim,
    .shape,
    .seed,
    .noOptimize,
    .plugin,
    .json,
  ]
  static let examples = [
    "dlrt bench resnet50.onnx --threads 1",
    "dlrt bench bert.onnx --dim N=1 --dim T=128 --seconds 5 --json",
    "dlrt bench bert.onnx --input input_ids=ids.npy",
  ]

  static func run(_ arguments: Arguments) throws -> Outcome {
    let threads = try arguments.threads()
    let seconds = try arguments.double("--seconds", atLeast: 0) ?? 3
    let warmup = try arguments.int("--warmup", in: 0...1_000_000) ?? 2
    let maker = try arguments.maker()

    let start = Clock.now()
    let model = try arguments.model()
    let session = try Session(model, options: SessionOptions(threads: threads, seed: 0))
    let loaded = Clock.now()
    try arguments.check(maker, model, name)
    let (inputs, _) = try arguments.inputs(of: model, maker)
    let made = Clock.now()
    var outputs = [Value?](repeating: nil, count: model.outputs.count)
    try session.run(inputs, into: &outputs)
    let first = Clock.now()
    try session.settle()
    for _ in 0..<warmup { try session.run(inputs, into: &outputs) }

    var times: [Double] = []
    let end = Clock.now() + seconds
    while Clock.now() < end || times.count < 5 {
      let before = Clock.now()
      try session.run(inputs, into: &outputs)
      times.append(Clock.now() - before)
      if times.count & 15 == 0 {
        Terminal.progress("\(times.count) runs, last \((times[times.count - 1] * 1e3).fixed(3)) ms")
      }
    }
    Terminal.endProgress()
    let (plan, planning) = try self.plan(session, inputs)
    report(
      times.sorted(), load: loaded - start, first: first - made, planning: planning, session, plan,
      asJSON: arguments.has("--json"))
    return .fine
  }

  /// Plans anew, with the model's weights packed, as a run of other shapes has to.
  private static func plan(_ session: Session, _ inputs: [Value?]) throws -> (PlanSummary, seconds: Double) {
    let fresh = try Session(session.model, options: SessionOptions(threads: session.threads))
    let shapes = inputs.map { $0?.tensor?.shape }
    let start = Clock.now()
    let plan = try fresh.plan(shapes: shapes)
    return (plan, Clock.now() - start)
  }

  private static func report(
    _ times: [Double], load: Double, first: Double, planning: Double, _ session: Session, _ plan: PlanSummary,
    asJSON: Bool
  ) {
    func quantile(_ part: Double) -> Double { times[min(times.count - 1, Int(part * Double(times.count)))] * 1e3 }
    let median =
      times.count % 2 == 1
      ? quantile(0.5) : (times[times.count / 2 - 1] + times[times.count / 2]) / 2 * 1e3
    let megabyte = 1024.0 * 1024
    let figures: [(String, Double)] = [
      ("load_ms", load * 1e3), ("first_ms", first * 1e3), ("plan_ms", planning * 1e3), ("median_ms", median),
      ("min_ms", times[0] * 1e3),
      ("p90_ms", quantile(0.9)), ("p99_ms", quantile(0.99)),
    ]
    let memory: [(String, Double)] = [
      ("peak_rss_mb", Process.peakMemory / megabyte), ("arena_mb", Double(plan.arenaBytes) / megabyte),
    ]
    if asJSON {
      var members = figures.map { ($0.0, JSON.number($0.1)) }
      members.append(("runs", .int(times.count)))
      members += memory.map { ($0.0, .number($0.1)) }
      members += [("threads", .int(session.threads)), ("isa", .string(Version.instructionSet))]
      Terminal.print(JSON.object(members))
      return
    }
    for (name, value) in figures { Terminal.print("\(name.padded(to: 12)) \(value.fixed(3).leftPadded(to: 12))") }
    for (name, value) in memory { Terminal.print("\(name.padded(to: 12)) \(value.fixed(1).leftPadded(to: 12))") }
    Terminal.print("runs         \(String(times.count).leftPadded(to: 12))")
    Terminal.print("threads      \(String(session.threads).leftPadded(to: 12))")
    Terminal.print("isa          \(Version.instructionSet.leftPadded(to: 12))")
  }
}
