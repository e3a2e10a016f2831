import DLRTGraph
import DLRTOperators

/// Zeros that a Pad puts around the images of a convolution become the convolution's own padding.
struct FoldPadding: Pass {
  let name = "fold-padding"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      let node = program.graph[id]
      guard let op = program.op(id) as? Conv, op.attributes.window.autoPad == .explicit,
        let pad = matcher.node(node.input(0), "Pad"), let rank = matcher.shape(node.input(0))?.rank,
        // What is made of an image without pixels has some; a convolution of it has none.
        let image = matcher.shape(pad.input(0)), image.dims.dropFirst(2).allSatisfy({ ($0.value ?? 0) > 0 }),
        let added = zeros(pad, rank, matcher)
      else { continue }
      let own = op.attributes.window.pads ?? [Int](repeating: 0, count: 2 * (rank - 2))
      let pads = zip(own, added).map { $0 + $1 }
      guard own.count == added.count, pads.allSatisfy({ $0 <= WindowAttributes.largest }) else { continue }
      var made = node
      made.inputs[0] = pad.input(0)
      made.attributes["pads"] = .ints(pads)
      made.attributes["auto_pad"] = nil
      patch.update(id, made)
    }
    return patch
  }

  /// How many zeros a Pad adds before all spatial axes, then after them; nil if it does anything else.
  private func zeros(_ pad: Node, _ rank: Int, _ matcher: Matcher) -> [Int]? {
    if case .string(let mode)? = pad.attributes["mode"], mode != "constant" { return nil }
    guard pad.input(2) == nil || matcher.scalar(pad.input(2)) == 0, rank > 2,
      let counts = matcher.constant(pad.input(1))?.integers
    else { return nil }
    var axes = Array(0..<rank)
    if let given = pad.input(3) {
      guard let some = matcher.constant(given)?.integers else { return nil }
      axes = some.map { $0 < 0 ? $0 + rank : $0 }
    }
    guard counts.count == 2 * axes.count else { return nil }
    var result = [Int](repeating: 0, count: 2 * (rank - 2))
    for (index, axis) in axes.enumerated() {
      let (before, after) = (counts[index], counts[axes.count + index])
      guard (0...WindowAttributes.largest).contains(before), (0...WindowAttributes.largest).contains(after) else {
        return nil
      }
      if axis < 2 {
        guard before == 0, after == 0 else { return nil }
      } else {
        (result[axis - 2], result[axis + rank - 4]) = (before, after)
      }
    }
    return result
  }
}
