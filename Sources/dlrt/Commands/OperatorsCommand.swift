import DLRT
import DLRTGraph
import DLRTOperators

/// `dlrt operators`: what models may use.
enum OperatorsCommand: Command {
  static let name = "operators"
  static let summary = "List the operators that dlrt has, with versions, element types and kernels"
  static let positionals = Positionals(name: "[NAME]…", count: 0...1_000)
  static let options: [Option] = [
    .flag("--markdown", "print docs/operators.md"),
    .json,
  ]
  static let examples = [
    "dlrt operators",
    "dlrt operators Conv com.microsoft::Gelu",
    "dlrt operators --json",
  ]

  static func run(_ arguments: Arguments) throws -> Outcome {
    if arguments.has("--json") && arguments.has("--markdown") {
      throw UsageError("'--json' and '--markdown' are two forms of one list: choose one")
    }
    let wanted = Set(arguments.positionals.map { $0.lowercased() })
    let all = OperatorRegistry.standard.kinds.filter { $0.schema.op.domain != OperatorName.internalDomain }
    let chosen = all.filter { kind in
      let op = kind.schema.op
      return wanted.isEmpty || wanted.contains(op.name.lowercased()) || wanted.contains(op.description.lowercased())
    }
    let entries = chosen.map { Entry($0, OperatorProbe().find($0)) }
    if arguments.has("--json") {
      Terminal.print(JSON.object([("operators", .array(entries.map(\.json)))]))
    } else if arguments.has("--markdown") {
      Terminal.print(OperatorPage(entries).text, terminator: "")
    } else {
      var table = Table(["operator", "versions", "instruction sets", "element types"])
      for entry in entries { table.add([entry.op.description, entry.versions, entry.optimized, entry.types]) }
      Terminal.print(table.text)
    }
    let found = Set(chosen.flatMap { [$0.schema.op.name.lowercased(), $0.schema.op.description.lowercased()] })
    let missing = arguments.positionals.filter { !found.contains($0.lowercased()) }
    for name in missing { Terminal.error("dlrt operators: there is no operator '\(name)'") }
    return missing.isEmpty ? .fine : .checkFailed
  }

  /// An operator as text.
  struct Entry {
    let op: OperatorName
    let versions: String
    let types: String
    let kernels: [String]
    let isOptimized: Bool
    let json: JSON

    var optimized: String { isOptimized ? "yes" : kernels.isEmpty ? "" : "no" }

    init(_ kind: OperatorKind, _ finding: OperatorProbe.Finding) {
      let schema = kind.schema
      op = schema.op
      versions = schema.versions.map(String.init).joined(separator: ", ")
      types = Self.types(schema)
      kernels = finding.kernels
      isOptimized = finding.isOptimized
      json = .object([
        ("domain", .string(schema.op.domain)), ("name", .string(schema.op.name)),
        ("versions", .array(schema.versions.map(JSON.int))),
        (
          "types",
          .object(
            schema.types.pairs.sorted { $0.name < $1.name }.map { constraint in
              (constraint.name, .array(constraint.types.types.map { .string($0.name) }))
            })
        ),
        ("optimized", .bool(finding.isOptimized)), ("kernels", .array(finding.kernels.map(JSON.string))),
      ])
    }

    private static func types(_ schema: OperatorSchema) -> String {
      var seen: Set<String> = []
      // Of an output without a constraint of its own, inputs and attributes tell the type.
      let outputs = schema.outputs.filter { schema.types[$0.constraint] != nil }
      let constraints = (schema.inputs + outputs).map(\.constraint).filter { seen.insert($0).inserted }
      let texts = constraints.map { constraint in
        let name = constraint.hasSuffix("*") ? String(constraint.dropLast()) : constraint
        return (name, schema.types[constraint].map(\.groups) ?? "any value")
      }
      return texts.count == 1 ? texts[0].1 : texts.map { "\($0.0): \($0.1)" }.joined(separator: "; ")
    }
  }
}

/// The page that docs/operators.md is.
struct OperatorPage {
  private let entries: [OperatorsCommand.Entry]

  init(_ entries: [OperatorsCommand.Entry]) { self.entries = entries }

  var text: String {
    var text = """
      # Operators

      What models may use: \(entries.count) operators. `make docs` writes this page from the registry, `dlrt operators` prints the list.

      **Versions** are those of the operator set in which the operator changed and whose models dlrt reads; a model may import any later
      version. **Element types**: where an operator has several kinds of inputs and outputs, each stands under ONNX's name for it. *floats*
      are float16, bfloat16, float and double; *integers* those of 8 to 64 bits, signed and unsigned; *float8* its four kinds; *int2/4* the
      integers of two and four bits, signed and unsigned; *complex* complex64 and complex128; *all* is every type there is.
      **Instruction sets**: whether there are kernels for each instruction set, for some element types at least; empty where that
      depends on bodies or attributes that only a model has. **Kernels** are names as `dlrt info --plan` and `dlrt profile` show them, as far as small
      nodes bring them out.

      """
    for domain in Set(entries.map(\.op.domain)).sorted() {
      text += "\n## \(domain.isEmpty ? "ai.onnx" : domain)\n\n"
      text += "| operator | versions | element types | instruction sets | kernels |\n| --- | --- | --- | --- | --- |\n"
      for entry in entries where entry.op.domain == domain {
        let kernels = entry.kernels.map { "`\($0)`" }.joined(separator: " ")
        text += "| \(entry.op.name) | \(entry.versions) | \(entry.types) | \(entry.optimized) | \(kernels) |\n"
      }
    }
    return text
  }
}

extension TypeSet {
  /// The types, by the names of the groups that they make up.
  fileprivate var groups: String {
    if self == .all { return "all" }
    let known: [(String, TypeSet)] = [
      ("floats", .floats), ("integers", .integers), ("float8", .float8s), ("int2/4", .subByteIntegers),
      ("complex", .complex),
    ]
    var rest = self
    var names: [String] = []
    for (name, group) in known where rest.isSuperset(of: group) {
      names.append(name)
      rest.subtract(group)
    }
    return (names + rest.types.map(\.name)).joined(separator: ", ")
  }
}
