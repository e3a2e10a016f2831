import DLRTGraph
import DLRTOperators

/// Computes equal expressions once: nodes of one operator, with equal attributes and the same inputs or equal small
/// constants.
package struct MergeDuplicates: Pass {
  package let name = "merge-duplicates"

  package init() {}

  private struct Key: Hashable {
    let op: OperatorName
    let version: Int?
    let inputs: [ValueID?]
    let outputCount: Int
  }

  package func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    var patch = GraphPatch(program.graph)
    // Nodes that differ by their attributes at most; to compare those is dear and rarely needed.
    var seen: [Key: [NodeID]] = [:]
    var renamed: [ValueID: ValueID] = [:]
    var constants = SmallConstants(program.graph)
    var shared = ValueSet(program.graph)
    for id in program.graph.order {
      let node = program.graph[id]
      // Equal nodes share their inputs: each has another reader, or a node with an equal one makes it.
      let mayHaveTwin = node.inputs.allSatisfy { input in
        input.map { program.readers[$0].count > 1 || shared.contains($0) || constants.isSmall($0) } ?? true
      }
      guard mayHaveTwin, let op = program.op(id), op.isDeterministic else { continue }
      for case let output? in node.outputs { shared.insert(output) }
      let inputs = node.inputs.map { input in input.map { renamed[$0] ?? constants.first(like: $0) } }
      let key = Key(op: node.op, version: node.version, inputs: inputs, outputCount: node.outputs.count)
      guard let alike = seen[key] else {
        seen[key] = [id]
        continue
      }
      guard let attributes = node.comparableAttributes else { continue }
      guard let first = alike.first(where: { program.graph[$0].comparableAttributes == attributes }) else {
        seen[key]?.append(id)
        continue
      }
      let outputs = program.graph[first].outputs
      // An output that only the later node has cannot be taken from the earlier one.
      guard zip(node.outputs, outputs).allSatisfy({ $0 == nil || $1 != nil }) else { continue }
      for case (let old?, let new?) in zip(node.outputs, outputs) {
        renamed[old] = new
        patch.replace(old, with: new)
      }
      patch.remove(id)
    }
    return patch
  }
}

/// One value for all constants that are small and equal.
private struct SmallConstants {
  private let values: [Graph.Value]
  private var first: [[Int]: ValueID] = [:]

  init(_ graph: Graph) { values = graph.values }

  func isSmall(_ id: ValueID) -> Bool {
    values[id.index].constant.map { $0.count <= 8 && $0.type != .string } ?? false
  }

  /// The first value asked about that holds the same, or the value itself.
  mutating func first(like id: ValueID) -> ValueID {
    guard isSmall(id), let tensor = values[id.index].constant else { return id }
    var content = [Int(tensor.type.rawValue), tensor.shape.count] + tensor.shape
    tensor.withUnsafeBytes { content += $0.map { Int($0) } }
    if let known = first[content] { return known }
    first[content] = id
    return id
  }
}

extension Node {
  /// The attributes as text that is equal only for equal attributes; nil where there are tensors or graphs.
  fileprivate var comparableAttributes: String? {
    var text = ""
    for (name, attribute) in sortedAttributes {
      switch attribute {
      case .tensor, .graph, .tensors, .graphs: return nil
      case .float(let value): text += "\(name)=\(value.bitPattern);"
      case .floats(let values): text += "\(name)=\(values.map(\.bitPattern));"
      default: text += "\(name)=\(attribute.kind) \(attribute);"
      }
    }
    return text
  }
}
