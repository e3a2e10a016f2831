import DLRTGraph
import DLRTOperators

/// Computes equal expressions once: nodes of one operator, with equal attributes and the same inputs.
package struct MergeDuplicates: Pass {
  package let name = "merge-duplicates"

  package init() {}

  private struct Key: Hashable {
    let op: OperatorName
    let inputs: [ValueID?]
    let outputCount: Int
    let attributes: String
  }

  package func run(on program: inout Program, environment: PlanEnvironment) throws -> Bool {
    var patch = GraphPatch(program.graph)
    var first: [Key: [ValueID?]] = [:]
    var renamed: [ValueID: ValueID] = [:]
    for id in program.graph.order {
      let node = program.graph[id]
      guard let op = program.op(id), op.isDeterministic, let attributes = node.comparableAttributes else { continue }
      let inputs = node.inputs.map { input in input.map { renamed[$0] ?? $0 } }
      let key = Key(op: node.op, inputs: inputs, outputCount: node.outputs.count, attributes: attributes)
      guard let outputs = first[key] else {
        first[key] = node.outputs
        continue
      }
      // An output that only the later node has cannot be taken from the earlier one.
      guard zip(node.outputs, outputs).allSatisfy({ $0 == nil || $1 != nil }) else { continue }
      for case (let old?, let new?) in zip(node.outputs, outputs) {
        renamed[old] = new
        patch.replace(old, with: new)
      }
      patch.remove(id)
    }
    guard !patch.isEmpty else { return false }
    try program.apply(patch)
    return true
  }
}

extension Node {
  /// The attributes as text that is equal only for equal attributes; nil where there are tensors or graphs.
  fileprivate var comparableAttributes: String? {
    var text = ""
    for (name, attribute) in attributes.sorted(by: { $0.key < $1.key }) {
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
