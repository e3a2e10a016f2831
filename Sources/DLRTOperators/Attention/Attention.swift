import DLRTGraph

/// ONNX Attention (23–25): softmax(scale · Q·Kᵀ + mask) · V for several heads, with grouped key heads, a cache of past
/// keys and values, soft cap, causal and windowed masks.
///
/// Q, K, V are [batch, heads, positions, size] or [batch, positions, heads · size]; Y has Q's form. `present_key` and
/// `present_value` are past and new ones joined; `qk_matmul_output` shows the scores at the stage that
/// `qk_matmul_output_mode` names. The softmax is computed in float32, or float64 for such operands, which is at least
/// as precise as any `softmax_precision` asks for but float64.
package struct Attention: Operator {
  package static let schema = OperatorSchema(
    "Attention", versions: [23, 24, 25],
    inputs: [
      ("Q", "T1"), ("K", "T1"), ("V", "T2"), ("attn_mask?", "U"), ("past_key?", "T1"), ("past_value?", "T2"),
      ("nonpad_kv_seqlen?", "I"), ("sink?", "T1"),
    ],
    outputs: [("Y", "T1"), ("present_key?", "T1"), ("present_value?", "T2"), ("qk_matmul_output?", "T1")],
    types: ["T1": .floats, "T2": .floats, "U": [.numeric, .bool], "I": .int64])
  package static let promotedTypes = TypeSet.halfFloats

  /// The stage of the scores that the fourth output shows.
  enum ScoreStage: Int, Sendable {
    case product, capped, masked, probabilities
  }

  private let heads: (query: Int, key: Int)?
  private let scale: Float?
  private let softcap: Float
  private let isCausal: Bool
  private let left: Int?
  private let right: Int?
  private let stage: ScoreStage
  /// Lets packed queries meet keys and values that are not, and pads short samples behind.
  private let isRelaxed: Bool

  /// An attribute for operators of other domains that become this one. They may also give each head a sink: a score that
  /// takes its part of the probabilities to no key.
  static let relaxed = "relaxed"
  private let unseen: Float

  /// An attribute for attention that a model writes with primitives: a query that sees no key then gets NaN, as from
  /// Softmax, not 0.
  package static let unseenIsNaN = "unseen_is_nan"

  package init(_ attributes: inout AttributeReader) throws {
    let query = try attributes.optionalInt("q_num_heads")
    let key = try attributes.optionalInt("kv_num_heads")
    heads = if let query, let key { (query, key) } else { nil }
    scale = try attributes.optionalFloat("scale")
    softcap = try attributes.float("softcap", default: 0)
    isCausal = try attributes.flag("is_causal")
    left = try Self.window("left_window_size", &attributes)
    right = try Self.window("right_window_size", &attributes)
    isRelaxed = try attributes.flag(Self.relaxed)
    unseen = try attributes.flag(Self.unseenIsNaN) ? .nan : 0
    let mode = try attributes.int("qk_matmul_output_mode", default: 0)
    guard let stage = ScoreStage(rawValue: mode) else {
      throw DLRTError(.invalidModel, "no such mode", tensor: "qk_matmul_output_mode", expected: "0…3", got: "\(mode)")
    }
    self.stage = stage
    if let precision = try attributes.optionalDataType("softmax_precision"), !TypeSet.floats.contains(precision) {
      throw DLRTError(
        .invalidModel, "no such precision", tensor: "softmax_precision", expected: "\(TypeSet.floats)",
        got: precision.name)
    }
  }

  private static func window(_ name: String, _ attributes: inout AttributeReader) throws -> Int? {
    let size = try attributes.int(name, default: -1)
    guard size >= -1 else {
      throw DLRTError(.invalidModel, "negative window", tensor: name, expected: "-1 or more", got: "\(size)")
    }
    // No tensor has that many positions, and sums of two such numbers do not overflow.
    return size < 0 ? nil : min(size, 1 << 60)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    let valueType = try inference.type(2)
    guard (type == .float64) == (valueType == .float64) else {
      throw DLRTError(
        .unsupportedModel, "double and smaller floats in one attention", tensor: "V", expected: type.name,
        got: valueType.name)
    }
    for (index, own) in [(0, type), (1, type), (2, valueType), (3, type)] { inference.setType(index, own) }
    let isPacked = try inference.rank(0) == 3
    let q = try AttentionDims(inference, 0, heads: heads?.query)
    let k = try AttentionDims(inference, 1, heads: heads?.key)
    let v = try AttentionDims(inference, 2, heads: heads?.key)
    for (index, dims) in [(1, k), (2, v)] {
      try inference.requireEqual(dims.batch, q.batch, "the batch", of: index)
      let isFree = isRelaxed && isPacked && index == 1
      let rank = try isFree ? inference.rank(index) : isRelaxed ? inference.rank(1) : isPacked ? 3 : 4
      try inference.requireEqual(Dim.known(try inference.rank(index)), .known(rank), "the rank", of: index)
    }
    try inference.requireEqual(k.size, q.size, "the size of heads", of: 1)
    try inference.requireEqual(v.positions, k.positions, "the number of positions", of: 2)
    try inference.requireEqual(v.heads, k.heads, "the number of heads", of: 2)
    if let queries = q.heads.value, let keys = k.heads.value, keys == 0 ? queries != 0 : queries % keys != 0 {
      throw DLRTError(
        .invalidModel, "query heads cannot share key heads", tensor: "K", expected: "a divisor of \(queries)",
        got: "\(keys)")
    }
    guard inference.has(4) == inference.has(5) else {
      throw DLRTError(.invalidModel, "past_key and past_value come together", tensor: "past_key")
    }
    var total = k.positions
    if inference.has(4) {
      let pastKey = try inference.shape(4, rank: 4)
      let pastValue = try inference.shape(5, rank: 4)
      let expected = [(4, pastKey, k.size), (5, pastValue, v.size)]
      for (index, past, size) in expected {
        try inference.requireEqual(past[0], q.batch, "the batch", of: index)
        try inference.requireEqual(past[1], k.heads, "the number of heads", of: index)
        try inference.requireEqual(past[3], size, "the size of heads", of: index)
      }
      try inference.requireEqual(pastValue[2], pastKey[2], "the number of positions", of: 5)
      total = pastKey[2] + k.positions
    }
    try checkMask(inference, [q.batch, q.heads, q.positions], total)
    if inference.has(6) {
      try inference.requireEqual(try inference.shape(6, rank: 1)[0], q.batch, "the batch", of: 6)
      if inference.has(4) {
        throw DLRTError(.invalidModel, "not together with past_key", tensor: "nonpad_kv_seqlen")
      }
    }
    if inference.has(7) {
      guard isRelaxed else {
        throw DLRTError(.invalidModel, "more inputs than the operator has", tensor: inference.name(7))
      }
      try inference.requireEqual(try inference.shape(7, rank: 1)[0], q.heads, "the number of heads", of: 7)
    }
    inference.set(
      0, type,
      isPacked ? [q.batch, q.positions, q.heads * v.size] : [q.batch, q.heads, q.positions, v.size])
    inference.set(1, type, [q.batch, k.heads, total, k.size])
    inference.set(2, valueType, [q.batch, k.heads, total, v.size])
    inference.set(3, type, [q.batch, q.heads, q.positions, total])
  }

  private func checkMask(_ inference: Inference, _ dims: [Dim], _ keys: Dim) throws {
    guard inference.has(3) else { return }
    let mask = try inference.shape(3)
    let fits =
      (1...4).contains(mask.rank)
      && zip(mask.dims.dropLast().reversed(), dims.reversed()).allSatisfy {
        $0 == 1 || !$0.provablyDiffers($1)
      }
    guard fits, (mask.dims.last?.value ?? 0) <= (keys.value ?? Int.max) else {
      throw DLRTError(
        .invalidModel, "mask does not broadcast", tensor: "attn_mask", expected: "\(Shape(dims + [keys]))",
        got: "\(mask)")
    }
  }

  /// Q, K, V and a mask that has an axis for them.
  package func imageInputs(_ ranks: [Int]) -> [Int] {
    // What was computed before, and how much of it, is the next run's to know.
    if ranks.dropFirst(4).prefix(3).contains(where: { $0 > 0 }) { return [] }
    return ranks.count > 3 && ranks[3] == 4 ? [0, 1, 2, 3] : [0, 1, 2]
  }

  package var viewableInputs: [Int] { [0, 1, 2, 3] }
  package var writesPermuted: Bool { true }

  /// Vectors must be adjacent elements.
  package func reads(_ view: StridedView, input index: Int, _ planning: Planning) -> Bool {
    !Self.promotedTypes.contains(planning.type(index))
      && (planning.shape(index).last == 1 || view.strides.last == 1)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let past = planning.has(4) ? planning.shape(4)[2] : 0
    let shape = AttentionShape(
      planning, past: past, heads: heads)
    let mask = AttentionMask(
      isCausal: isCausal, left: left, right: right, type: planning.has(3) ? planning.type(3) : nil,
      operand: planning.has(3) ? planning.input(3) : nil, hasLengths: planning.has(6), padsBehind: isRelaxed,
      past: past)
    let loop = AttentionLoop(
      shape: shape, mask: mask, scale: scale.map(Double.init) ?? 1 / Double(shape.headSize).squareRoot(),
      softcap: softcap, unseen: unseen, stage: planning.wants(output: 3) ? stage : nil, hasPast: planning.has(4),
      hasSinks: planning.has(7),
      wantsKeys: planning.wants(output: 1), wantsValues: planning.wants(output: 2), planning)
    return Step(
      kernel: loop.name(planning), flops: shape.flops, workspace: loop.workspaceCount * planning.type(0).size,
      try planning.type(0).dispatch(loop))
  }
}
