import DLRTGraph
import DLRTOperators

// Concat without moving: what makes a part writes it where the whole is, and where all parts of a Concat lie in order in
// another one's result already, it is a view of that.

extension StageViews {
  /// Later Concats come first, so that those before them can lie within them.
  mutating func placeParts(of nodes: [NodeID]) {
    for id in nodes.reversed() where !facts.waiting.contains(id) && !absorbed.contains(id) {
      guard let op = program.op(id) as? Concat, let value = program.graph[id].output(0), isPlain(value) else {
        continue
      }
      if lieInOrder(id, op, value) { continue }
      let whole = places[value] ?? Source(value: value, view: StridedView(whole: shape(value)))
      var isComplete = true
      var place = whole.view
      for case let input? in program.graph[id].inputs where !shape(input).isEmpty {
        let part = Source(value: whole.value, view: place)
        place.offset +=
          shape(input)[op.axis(rank: shape(input).count)] * place.strides[op.axis(rank: shape(input).count)]
        if shape(input).product == 0 || places[input] == part { continue }
        if !put(input, part, for: id) { isComplete = false }
      }
      if isComplete { absorbed.insert(id) }
    }
  }

  /// Whether all parts lie in one value's memory as they would in the result; then the result lies there too.
  private mutating func lieInOrder(_ id: NodeID, _ op: Concat, _ value: ValueID) -> Bool {
    let inputs = program.graph[id].inputs.compactMap { $0 }
    guard mayMove(value, of: id), let first = inputs.first, let start = places[first] else { return false }
    var place = start
    for input in inputs {
      guard places[input] == place else { return false }
      let axis = op.axis(rank: shape(input).count)
      place = Source(
        value: place.value,
        view: StridedView(
          offset: place.view.offset + shape(input)[axis] * place.view.strides[axis], strides: place.view.strides))
    }
    guard areReadersAble(value, start.view, but: nil) else { return false }
    note(value, start)
    absorbed.insert(id)
    return true
  }

  /// Has a part of a Concat written to its place, if its maker and its other readers agree.
  private mutating func put(_ value: ValueID, _ place: Source, for reader: NodeID) -> Bool {
    guard let maker = program.producers[value], mayMove(value, of: maker), let op = program.op(maker),
      op.writes(place.view, planning(maker)), program.graph[reader].inputs.count(where: { $0 == value }) == 1,
      areReadersAble(value, place.view, but: reader)
    else { return false }
    outputs[maker] = place
    note(value, place)
    return true
  }

  /// Whether all readers of a value, but for one, can find it within another's memory.
  private func areReadersAble(_ value: ValueID, _ view: StridedView, but exempt: NodeID?) -> Bool {
    program.readers[value].allSatisfy { reader in
      if reader == exempt { return true }
      guard !facts.waiting.contains(reader), let op = program.op(reader) else { return false }
      return program.graph[reader].inputs.enumerated().allSatisfy { index, input in
        input != value || inputs[reader]?[index] != nil || op.reads(view, input: index, planning(reader))
      }
    }
  }

  private mutating func note(_ value: ValueID, _ place: Source) {
    places[value] = place
    for reader in program.readers[value] {
      for (index, input) in program.graph[reader].inputs.enumerated()
      where input == value && inputs[reader]?[index] == nil {
        inputs[reader, default: [:]][index] = place
      }
    }
  }
}
