import DLRT
import DLRTFiles

/// `dlrt profile`: where the time of a run goes.
enum ProfileCommand: Command {
  static let name = "profile"
  static let summary = "Show what each step and each operator of a run takes"
  static let positionals = Positionals(name: "MODEL", count: 1...1)
  static let options: [Option] = [
    .input,
    .inputs,
    .threads,
    .value("--runs", "N", "runs to measure, of which the medians are shown (default 10)"),
    .dim,
    .shape,
    .seed,
    .value("--trace", "FILE", "write the last run in Chrome's trace format"),
    .noOptimize,
    .plugin,
    .json,
  ]
  static let examples = [
    "dlrt profile resnet50.onnx --threads 1",
    "dlrt profile bert.onnx --dim T=128 --trace trace.json",
  ]

  static func run(_ arguments: Arguments) throws -> Outcome {
    let threads = try arguments.threads()
    let runs = try arguments.int("--runs", in: 1...100_000) ?? 10
    let maker = try arguments.maker()
    let model = try arguments.model()
    let session = try Session(model, options: SessionOptions(threads: threads, seed: 0))
    try arguments.check(maker, model, name)
    let (inputs, _) = try arguments.inputs(of: model, maker)
    _ = try session.run(inputs)
    try session.settle()
    _ = try session.run(inputs)
    var recorded: [[StepRecord]] = []
    for run in 0..<runs {
      Terminal.progress("run \(run + 1) of \(runs)")
      let profiler = Profiler()
      _ = try session.profile(inputs, into: profiler)
      recorded.append(profiler.records)
    }
    Terminal.endProgress()
    guard let last = recorded.last else { return .fine }
    let steps = medians(recorded, like: last)
    if arguments.has("--json") {
      Terminal.print(json(steps))
    } else {
      show(steps)
    }
    if let path = arguments.string("--trace") { try NewTextFile.write(trace(last).text + "\n", to: path) }
    return .fine
  }

  /// Control flow may take other steps in another run; then the last run stands alone.
  private static func medians(_ runs: [[StepRecord]], like last: [StepRecord]) -> [(StepRecord, Double)] {
    let comparable = runs.filter { run in run.count == last.count && zip(run, last).allSatisfy { $0.node == $1.node } }
    return last.enumerated().map { index, record in
      let times = comparable.map { Double($0[index].duration) * 1e-9 }.sorted()
      return (record, times[times.count / 2])
    }
  }

  private static func json(_ steps: [(StepRecord, Double)]) -> JSON {
    .object([
      (
        "steps",
        .array(
          steps.map { step, seconds in
            .object([
              ("node", .string(step.node)), ("operator", .string(step.operatorName)), ("kernel", .string(step.kernel)),
              ("ms", .number(seconds * 1e3)), ("bytes", .int(step.bytes)), ("flops", .int(step.flops)),
              ("depth", .int(step.depth)),
            ])
          })
      )
    ])
  }

  private static func trace(_ records: [StepRecord]) -> JSON {
    .object([
      ("displayTimeUnit", .string("ms")),
      (
        "traceEvents",
        .array(
          records.map { record in
            .object([
              ("name", .string(record.node)), ("cat", .string(record.operatorName)), ("ph", .string("X")),
              ("ts", .number(Double(record.start) * 1e-3)), ("dur", .number(Double(record.duration) * 1e-3)),
              ("pid", .int(1)), ("tid", .int(record.depth + 1)),
              (
                "args",
                .object([
                  ("kernel", .string(record.kernel)), ("bytes", .int(record.bytes)), ("flops", .int(record.flops)),
                ])
              ),
            ])
          })
      ),
    ])
  }

  private static func show(_ steps: [(StepRecord, Double)]) {
    // A body's steps are part of the step that runs the body.
    let total = steps.reduce(0) { $0 + ($1.0.depth == 0 ? $1.1 : 0) }
    var table = Table(
      ["step", "operator", "kernel", "ms", "%", "GFLOP/s", "GB/s", "node"], rightAligned: [0, 3, 4, 5, 6])
    for (index, (step, seconds)) in steps.enumerated() {
      table.add([
        "\(index)", String(repeating: "  ", count: step.depth) + step.operatorName, step.kernel,
        (seconds * 1e3).fixed(3), share(seconds, total), rate(step.flops, seconds), rate(step.bytes, seconds),
        step.node,
      ])
    }
    Terminal.print(table.text)
    var groups: [String: (count: Int, seconds: Double, flops: Int, bytes: Int)] = [:]
    for ((step, _), seconds) in zip(steps, ownTimes(steps)) {
      let old = groups[step.operatorName] ?? (0, 0, 0, 0)
      groups[step.operatorName] = (
        old.count + 1, old.seconds + seconds, old.flops &+ step.flops, old.bytes &+ step.bytes
      )
    }
    var summary = Table(["operator", "steps", "ms", "%", "GFLOP/s", "GB/s"], rightAligned: [1, 2, 3, 4, 5])
    for (name, group) in groups.sorted(by: { $0.value.seconds > $1.value.seconds }) {
      summary.add([
        name, "\(group.count)", (group.seconds * 1e3).fixed(3), share(group.seconds, total),
        rate(group.flops, group.seconds), rate(group.bytes, group.seconds),
      ])
    }
    Terminal.print("\n" + summary.text)
    Terminal.print("total \((total * 1e3).fixed(3)) ms in steps")
  }

  /// What each step takes without the steps of its bodies, which come before it.
  private static func ownTimes(_ steps: [(StepRecord, Double)]) -> [Double] {
    var inner: [Int: Double] = [:]
    return steps.map { step, seconds in
      let own = max(0, seconds - (inner.removeValue(forKey: step.depth + 1) ?? 0))
      inner[step.depth, default: 0] += seconds
      return own
    }
  }

  private static func share(_ seconds: Double, _ total: Double) -> String {
    total > 0 ? (100 * seconds / total).fixed(1) : "0.0"
  }

  private static func rate(_ amount: Int, _ seconds: Double) -> String {
    seconds > 0 && amount > 0 ? (Double(amount) * 1e-9 / seconds).fixed(1) : "-"
  }
}
