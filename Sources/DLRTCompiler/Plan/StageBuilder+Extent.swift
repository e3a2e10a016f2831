import DLRTGraph
import DLRTOperators

// What a stage runs and what it leaves to the next.

extension StageBuilder {
  /// The nodes that this stage runs, and those that wait; nodes that nobody needs are in neither.
  func split() -> (run: [NodeID], wait: [NodeID]) {
    let graph = program.graph
    var needed = ValueSet(graph)
    for output in pendingOutputs { needed.insert(graph.outputs[output]) }
    var run: [NodeID] = []
    var wait: [NodeID] = []
    for id in nodes.reversed() where !views.absorbed.contains(id) {
      let isNeeded = views.outputs(of: id).contains { output in
        output.map { needed.contains($0) && facts[$0]?.constant == nil } ?? false
      }
      guard isNeeded else { continue }
      for case let input? in views.inputs(of: id) { needed.insert(input) }
      if facts.waiting.contains(id) { wait.append(id) } else { run.append(id) }
    }
    return (run.reversed(), wait.reversed())
  }

  /// What must outlive the stage: the values that waiting nodes read, and the model outputs that exist by then.
  func valuesAfter(_ wait: [NodeID]) -> (read: Set<ValueID>, delivered: [Int]) {
    let graph = program.graph
    guard !wait.isEmpty else { return ([], pendingOutputs) }
    var made = ValueSet(graph)
    for id in wait {
      for case let output? in graph[id].outputs { made.insert(output) }
    }
    var read: Set<ValueID> = []
    for id in wait {
      for case let input? in graph[id].inputs where !made.contains(input) { read.insert(input) }
    }
    return (read, pendingOutputs.filter { !made.contains(graph.outputs[$0]) })
  }
}
