import DLRTGraph

/// ONNX LinearAttention (27): attention without softmax as a recurrence over a state [d_k, d_v] of each key head,
/// which decays and is corrected as `update_rule` says. Query, key and value are [batch, steps, heads · size];
/// `past_state` and `present_state` are [batch, key heads, d_k, d_v].
package struct LinearAttention: Operator {
  package static let schema = OperatorSchema(
    "LinearAttention", versions: [27],
    inputs: [
      ("query", "T"), ("key", "T"), ("value", "T"), ("past_state?", "S"), ("decay?", "T"), ("beta?", "T"),
    ],
    outputs: [("output", "T"), ("present_state", "S")],
    types: ["T": [.float32, .halfFloats], "S": [.float32, .halfFloats]])
  package static let promotedTypes = TypeSet.halfFloats

  enum Rule: String, CaseIterable, Sendable {
    case linear
    case gated
    case delta
    case gatedDelta = "gated_delta"

    var decays: Bool { self == .gated || self == .gatedDelta }
    var corrects: Bool { self == .delta || self == .gatedDelta }
  }

  private let rule: Rule
  private let queryHeads: Int
  private let keyHeads: Int
  private let scale: Float

  package init(_ attributes: inout AttributeReader) throws {
    rule = try attributes.choice("update_rule", default: Rule.gatedDelta)
    queryHeads = try attributes.int("q_num_heads")
    keyHeads = try attributes.int("kv_num_heads")
    scale = try attributes.float("scale", default: 0)
    // Only tells how to split the work.
    attributes.ignore("chunk_size")
    guard keyHeads > 0, queryHeads > 0, queryHeads % keyHeads == 0 else {
      throw DLRTError(
        .invalidModel, "query heads cannot share key heads", tensor: "q_num_heads",
        expected: "a positive multiple of \(keyHeads)", got: "\(queryHeads)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let stateType = inference.has(3) ? try inference.type(3) : type
    inference.setType(1, stateType)
    for index in 0..<3 { _ = try inference.shape(index, rank: 3) }
    let q = try AttentionDims(inference, 0, heads: queryHeads)
    let k = try AttentionDims(inference, 1, heads: keyHeads)
    let v = try AttentionDims(inference, 2, heads: keyHeads)
    for (index, dims) in [(1, k), (2, v)] {
      try inference.requireEqual(dims.batch, q.batch, "the batch", of: index)
      try inference.requireEqual(dims.positions, q.positions, "the number of steps", of: index)
    }
    try inference.requireEqual(k.size, q.size, "the size of heads", of: 1)
    let state: [Dim] = [q.batch, .known(keyHeads), q.size, v.size]
    if inference.has(3) {
      let past = try inference.shape(3, rank: 4)
      for axis in 0..<4 { try inference.requireEqual(past[axis], state[axis], "axis \(axis)", of: 3) }
    }
    try checkGate(inference, 4, isNeeded: rule.decays, q, widths: [.known(keyHeads), k.size * .known(keyHeads)])
    try checkGate(inference, 5, isNeeded: rule.corrects, q, widths: [.known(keyHeads), 1])
    inference.set(0, type, [q.batch, q.positions, v.size * .known(queryHeads)])
    inference.set(1, stateType, Shape(state))
  }

  private func checkGate(
    _ inference: Inference, _ index: Int, isNeeded: Bool, _ q: AttentionDims, widths: [Dim]
  ) throws {
    guard inference.has(index) == isNeeded else {
      throw DLRTError(
        .invalidModel, isNeeded ? "the update rule needs it" : "the update rule has no use for it",
        tensor: inference.name(index), got: rule.rawValue)
    }
    guard isNeeded else { return }
    let shape = try inference.shape(index, rank: 3)
    try inference.requireEqual(shape[0], q.batch, "the batch", of: index)
    try inference.requireEqual(shape[1], q.positions, "the number of steps", of: index)
    guard widths.contains(where: { !$0.provablyDiffers(shape[2]) }) else {
      throw DLRTError(
        .invalidModel, "wrong last axis", tensor: inference.name(index),
        expected: widths.map(\.description).joined(separator: " or "), got: "\(shape)")
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let q = planning.shape(0)
    let keySize = q[2] / queryHeads
    let loop = LinearAttentionLoop(
      rule: rule, batch: q[0], steps: q[1], queryHeads: queryHeads, keyHeads: keyHeads, keySize: keySize,
      valueSize: planning.shape(2)[2] / keyHeads,
      scale: scale == 0 ? 1 / Float(max(keySize, 1)).squareRoot() : scale, hasPast: planning.has(3),
      decayWidth: planning.has(4) ? planning.shape(4)[2] : 0, betaWidth: planning.has(5) ? planning.shape(5)[2] : 0,
      wantsState: planning.wants(output: 1))
    return Step(kernel: "linear-attention", workspace: loop.workspaceCount * 4) { loop.run($0) }
  }
}

private struct LinearAttentionLoop: Sendable {
  let rule: LinearAttention.Rule
  let batch: Int
  let steps: Int
  let queryHeads: Int
  let keyHeads: Int
  let keySize: Int
  let valueSize: Int
  let scale: Float
  let hasPast: Bool
  let decayWidth: Int
  let betaWidth: Int
  let wantsState: Bool

  private var stateCount: Int { keySize &* valueSize }
  private var heads: Int { batch &* keyHeads }
  /// A row of values for each head, and its state unless that is an output.
  var workspaceCount: Int { heads &* (valueSize &+ (wantsState ? 0 : stateCount)) }

  func run(_ io: borrowing StepIO) {
    let rows = io.workspace.assumingMemoryBound(to: Float.self)
    let states = wantsState ? io.output(1, as: Float.self) : rows + heads &* valueSize
    io.parallel(Chunks(heads, cost: Double(steps &* stateCount) * 2)) { range in
      for index in range {
        let state = states + index &* stateCount
        if hasPast {
          state.update(from: io.input(3, as: Float.self) + index &* stateCount, count: stateCount)
        } else {
          state.update(repeating: 0, count: stateCount)
        }
        for step in 0..<steps { advance(io, index, step, state, rows + index &* valueSize) }
      }
    }
  }

  private func advance(
    _ io: borrowing StepIO, _ index: Int, _ step: Int, _ state: UnsafeMutablePointer<Float>,
    _ value: UnsafeMutablePointer<Float>
  ) {
    let batch = index / keyHeads
    let head = index &- batch &* keyHeads
    let place = batch &* steps &+ step
    let key = io.input(1, as: Float.self) + (place &* keyHeads &+ head) &* keySize
    value.update(from: io.input(2, as: Float.self) + (place &* keyHeads &+ head) &* valueSize, count: valueSize)
    if rule.decays {
      let decay = io.input(4, as: Float.self) + place &* decayWidth
      for row in 0..<keySize {
        let factor = Float.exp(decayWidth == keyHeads ? decay[head] : decay[head &* keySize &+ row])
        let line = state + row &* valueSize
        for column in 0..<valueSize { line[column] *= factor }
      }
    }
    if rule.corrects {
      let beta = io.input(5, as: Float.self)[place &* betaWidth &+ (betaWidth == 1 ? 0 : head)]
      for row in 0..<keySize {
        let line = state + row &* valueSize
        for column in 0..<valueSize { value[column] -= line[column] * key[row] }
      }
      for column in 0..<valueSize { value[column] *= beta }
    }
    for row in 0..<keySize {
      let line = state + row &* valueSize
      for column in 0..<valueSize { line[column] += key[row] * value[column] }
    }
    let group = queryHeads / keyHeads
    for member in 0..<group {
      let queryHead = head &* group &+ member
      let query = io.input(0, as: Float.self) + (place &* queryHeads &+ queryHead) &* keySize
      let target = io.output(0, as: Float.self) + (place &* queryHeads &+ queryHead) &* valueSize
      target.update(repeating: 0, count: valueSize)
      for row in 0..<keySize {
        let factor = scale * query[row]
        let line = state + row &* valueSize
        for column in 0..<valueSize { target[column] += factor * line[column] }
      }
    }
  }
}
