import DLRT
import DLRTFiles

/// `dlrt info`: what a model is and what running it will take.
enum InfoCommand: Command {
  static let name = "info"
  static let summary = "Show a model's inputs, outputs, operators, size, and the memory of a run"
  static let positionals = Positionals(name: "MODEL", count: 1...1)
  static let options: [Option] = [
    .dim,
    .shape,
    .threads,
    .flag("--graph", "print the optimised graph"),
    .flag("--plan", "print the steps of a run"),
    .noOptimize,
    .plugin,
    .json,
  ]
  static let examples = [
    "dlrt info model.onnx",
    "dlrt info bert.onnx --dim N=1 --dim T=128 --plan",
  ]

  static func run(_ arguments: Arguments) throws -> Outcome {
    let path = arguments.positionals[0]
    let threads = try arguments.threads()
    let maker = try arguments.maker()
    let model = try arguments.model()
    try arguments.check(maker, model, name)
    if arguments.has("--graph") {
      show(model.graphDescription, asJSON: arguments.has("--json"))
      return .fine
    }
    let session = try Session(model, options: SessionOptions(threads: threads, seed: 0))
    let shapes = model.inputs.map { port in port.isOptional ? port.shape?.sizes : maker.shape(of: port) }
    // A model may refuse the sizes that open dimensions get here; what it is can still be told.
    let plan = Result { try session.plan(shapes: shapes) }
    if arguments.has("--plan") {
      try show(plan.get(), asJSON: arguments.has("--json"))
    } else if arguments.has("--json") {
      Terminal.print(json(model, path, plan))
    } else {
      show(model, plan)
    }
    return .fine
  }

  private static func json(_ model: Model, _ path: String, _ plan: Result<PlanSummary, any Error>) -> JSON {
    func ports(_ ports: [Model.Port]) -> JSON {
      .array(
        ports.map { port in
          .object([
            ("name", .string(port.name)), ("type", .string("\(port.type)")),
            ("shape", port.shape.map { .array($0.dims.map(dim)) } ?? .null), ("optional", .bool(port.isOptional)),
          ])
        })
    }
    let summary = try? plan.get()
    return .object([
      ("model", .string(path)), ("inputs", ports(model.inputs)), ("outputs", ports(model.outputs)),
      ("operators", .object(model.operatorCounts.sorted { $0.key < $1.key }.map { ($0.key, .int($0.value)) })),
      ("opsets", .object(model.metadata.opsets.sorted { $0.key < $1.key }.map { ($0.key, .int($0.value)) })),
      ("ir_version", .int(model.metadata.irVersion)), ("producer", .string(model.metadata.producerName)),
      ("parameters", .int(model.parameterCount)), ("flops", summary.map { .int($0.flops) } ?? .null),
      ("steps", summary.map { .int($0.steps.count) } ?? .null),
      ("arena_bytes", summary.map { .int($0.arenaBytes) } ?? .null),
      ("packed_bytes", summary.map { .int($0.packedBytes) } ?? .null),
      ("metadata", .object(model.metadata.properties.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
    ])
  }

  private static func dim(_ dim: Dim) -> JSON {
    switch dim {
    case .known(let size): .int(size)
    case .symbol(let name): .string(name)
    case .unknown: .null
    }
  }

  private static func show(_ model: Model, _ plan: Result<PlanSummary, any Error>) {
    let metadata = model.metadata
    let producer = [metadata.producerName, metadata.producerVersion].filter { !$0.isEmpty }.joined(separator: " ")
    if !producer.isEmpty { Terminal.print("producer    \(producer.harmless())") }
    let opsets = metadata.opsets.sorted { $0.key < $1.key }.map { "\($0.key.isEmpty ? "ai.onnx" : $0.key) \($0.value)" }
    Terminal.print("format      IR \(metadata.irVersion), opset \(opsets.joined(separator: ", "))")
    for (title, ports) in [("input", model.inputs), ("output", model.outputs)] {
      for port in ports {
        let shape = port.shape.map { "\($0)" } ?? ""
        let suffix = port.isOptional ? " (optional)" : ""
        Terminal.print("\(title.padded(to: 11)) \(port.name.harmless()): \(port.type) \(shape.harmless())\(suffix)")
      }
    }
    let operators = model.operatorCounts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    Terminal.print("operators   " + operators.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
    Terminal.print("parameters  \(Quantity.count(model.parameterCount))")
    switch plan {
    case .success(let plan):
      let waiting = plan.waitingNodes > 0 ? ", and \(plan.waitingNodes) nodes whose shapes the data decide" : ""
      Terminal.print("a run       \(plan.steps.count) steps\(waiting), \(Quantity.count(plan.flops)) FLOP")
      Terminal.print(
        "memory      \(Quantity.bytes(plan.arenaBytes)) arena, \(Quantity.bytes(plan.packedBytes)) packed weights")
    case .failure(let error):
      Terminal.print("a run       cannot be planned for these sizes: \(error)")
    }
    for (key, value) in metadata.properties.sorted(by: { $0.key < $1.key }) {
      Terminal.print("metadata    \(key.harmless()) = \(value.harmless())")
    }
  }

  private static func show(_ graph: String, asJSON: Bool) {
    if asJSON {
      Terminal.print(JSON.object([("graph", .string(graph))]))
    } else {
      Terminal.print(graph, terminator: "")
    }
  }

  private static func show(_ plan: PlanSummary, asJSON: Bool) {
    if asJSON {
      let steps = plan.steps.map { step in
        JSON.object([
          ("node", .string(step.node)), ("operator", .string(step.operatorName)), ("kernel", .string(step.kernel)),
          ("flops", .int(step.flops)), ("bytes", .int(step.bytes)), ("workspace", .int(step.workspace)),
          ("outputs", .array(step.outputs.map { .array($0.map(JSON.int)) })),
        ])
      }
      Terminal.print(JSON.object([("arena_bytes", .int(plan.arenaBytes)), ("steps", .array(steps))]))
      return
    }
    var table = Table(["step", "operator", "kernel", "outputs", "MFLOP", "bytes", "node"], rightAligned: [0, 4, 5])
    for (index, step) in plan.steps.enumerated() {
      table.add([
        "\(index)", step.operatorName, step.kernel, step.outputs.map { "\($0)" }.joined(separator: " "),
        (Double(step.flops) * 1e-6).fixed(2), Quantity.bytes(step.bytes), step.node,
      ])
    }
    Terminal.print(table.text)
    Terminal.print("arena \(Quantity.bytes(plan.arenaBytes)), packed weights \(Quantity.bytes(plan.packedBytes))")
  }
}

extension PlanSummary {
  var flops: Int { steps.reduce(0) { $0 &+ $1.flops } }
}
