import DLRT
import DLRTFiles
import DLRTGraph

/// Shows the outputs of a run: ranked classes where an output holds scores, else the first elements.
struct OutputPrinter {
  let labels: Labels
  let top: Int
  /// True when the caller asked for classes, so that an output is ranked whatever its size.
  let topIsAsked: Bool

  private static let mostShown = 16

  func show(_ outputs: [Value], of model: Model) {
    for (port, value) in zip(model.outputs, outputs) {
      guard let tensor = value.tensor else {
        Terminal.print("\(port.name.harmless()): \(describe(value))")
        continue
      }
      Terminal.print("\(port.name.harmless()): \(tensor.type) \(tensor.shape)")
      let rankings = rankings(tensor)
      for (row, ranking) in rankings.enumerated() {
        if rankings.count > 1 { Terminal.print("  row \(row)") }
        for entry in ranking {
          let label = labels.name(entry.index) ?? "class \(entry.index)"
          Terminal.print("  \(entry.value.fixed(4).leftPadded(to: 9))  \(label.harmless())")
        }
      }
      if rankings.isEmpty {
        let elements = texts(first(min(tensor.count, Self.mostShown), of: tensor))
        let rest = tensor.count > Self.mostShown ? ", … \(tensor.count) in all" : ""
        Terminal.print("  " + elements.joined(separator: ", ") + rest)
      }
    }
  }

  /// - Parameter random: the names of the inputs that had random values, from `seed`.
  func json(_ outputs: [Value], of model: Model, random: [String], seed: UInt64) -> JSON {
    let list = zip(model.outputs, outputs).map { port, value in
      var members: [(String, JSON)] = [("name", .string(port.name))]
      if let tensor = value.tensor {
        members += [
          ("type", .string("\(tensor.type)")), ("shape", .array(tensor.shape.map(JSON.int))), ("data", data(tensor)),
        ]
        let rankings = rankings(tensor).map(json)
        if rankings.count == 1 { members.append(("top", rankings[0])) }
        if rankings.count > 1 { members.append(("top", .array(rankings))) }
      } else {
        members += [("type", .string("\(value.type)")), ("value", json(value))]
      }
      return JSON.object(members)
    }
    var members: [(String, JSON)] = [("outputs", .array(list))]
    if !random.isEmpty { members += [("seed", .unsigned(seed)), ("random", .array(random.map(JSON.string)))] }
    return .object(members)
  }

  private func json(_ ranking: [Ranking.Entry]) -> JSON {
    .array(
      ranking.map { entry in
        .object([
          ("index", .int(entry.index)), ("label", labels.name(entry.index).map { .string($0) } ?? .null),
          ("value", .number(entry.value)),
        ])
      })
  }

  private func json(_ value: Value) -> JSON {
    switch value {
    case .tensor(let tensor):
      .object([
        ("type", .string("\(tensor.type)")), ("shape", .array(tensor.shape.map(JSON.int))), ("data", data(tensor)),
      ])
    case .sequence(let elements, _): .array(elements.map(json))
    case .optional(let content, _): content.map(json) ?? .null
    case .map(let keys, let values, _): .object(Array(zip((try? keys.strings()) ?? texts(keys), values.map(json))))
    }
  }

  private func data(_ tensor: Tensor) -> JSON {
    if let strings = try? tensor.strings() { return .list(strings.count) { .string(strings[$0]) } }
    if let values = try? tensor.array(of: UInt64.self) { return .list(values.count) { .unsigned(values[$0]) } }
    if let integers = Elements.integers(tensor) { return .list(integers.count) { .int(integers[$0]) } }
    let numbers = Elements.doubles(tensor)
    return .list(numbers.count) { .number(numbers[$0]) }
  }

  private func first(_ count: Int, of tensor: Tensor) -> Tensor {
    Tensor(tensor.type, [count], tensor.storage, byteOffset: tensor.byteOffset)
  }

  private func texts(_ tensor: Tensor) -> [String] {
    if let strings = try? tensor.strings() { return strings.map { "\"\($0.harmless())\"" } }
    if let values = try? tensor.array(of: UInt64.self) { return values.map { String($0) } }
    if let integers = Elements.integers(tensor) { return integers.map { String($0) } }
    // A narrower float is not shown with the digits that it does not have.
    let isWide = tensor.type == .float64 || tensor.type == .complex128
    return Elements.doubles(tensor).map { isWide ? "\($0)" : "\(Float($0))" }
  }

  private func describe(_ value: Value) -> String {
    switch value {
    case .tensor(let tensor): "\(tensor.type) \(tensor.shape)"
    case .sequence(let elements, let type): "sequence of \(elements.count) × \(type)"
    case .optional(let content, _): content.map(describe) ?? "empty optional"
    case .map(let keys, _, let type): "map of \(keys.count) keys to \(type)"
    }
  }

  /// The best classes of each row of a float output [classes] or [rows, classes].
  private func rankings(_ tensor: Tensor) -> [[Ranking.Entry]] {
    guard tensor.type.isFloat, let classes = tensor.shape.last, classes > 1,
      tensor.shape.dropLast().reduce(1, *) == (tensor.shape.first ?? 0) || tensor.count == classes,
      topIsAsked || labels.count == classes
    else { return [] }
    return Ranking.best(top, of: Elements.doubles(tensor), rowLength: classes)
  }
}
