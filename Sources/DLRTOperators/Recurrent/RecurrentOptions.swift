import DLRTGraph

/// What RNN, GRU and LSTM have in common: attributes, and the shapes of their operands.
struct RecurrentOptions: Sendable {
  enum Direction: String, CaseIterable, Sendable {
    case forward
    case reverse
    case bidirectional
  }

  let direction: Direction
  let hiddenSize: Int?
  /// For each direction, the cell's functions.
  let activations: [[GateActivation]]
  /// Bounds the gates before their functions; the cell's state itself is not bounded.
  let clip: Float?
  let batchFirst: Bool
  /// The cell's functions are the standard's defaults, and nothing is clipped.
  let isPlain: Bool
  let gates: Int

  var directions: Int { direction == .bidirectional ? 2 : 1 }

  func isReverse(_ index: Int) -> Bool { direction == .reverse || index == 1 }

  /// - Parameters:
  ///   - gates: matrices of W and R in one direction.
  ///   - defaults: the cell's functions.
  init(_ attributes: inout AttributeReader, gates: Int, defaults: [GateActivation]) throws {
    self.gates = gates
    direction = try attributes.choice("direction", default: Direction.forward)
    hiddenSize = try attributes.optionalInt("hidden_size")
    if let hiddenSize, hiddenSize < 0 {
      throw DLRTError(.invalidModel, "negative size", tensor: "hidden_size", got: "\(hiddenSize)")
    }
    let bound = try attributes.float("clip", default: 0)
    clip = bound > 0 ? bound : nil
    batchFirst = try attributes.flag("layout")
    let count = direction == .bidirectional ? 2 : 1
    let all = try GateActivation.read(&attributes, defaults: defaults, directions: count)
    activations = (0..<count).map { Array(all[$0 * defaults.count..<($0 + 1) * defaults.count]) }
    isPlain = clip == nil && activations.allSatisfy { $0 == defaults }
  }

  /// Versions before 7 had a flag that said whether the first output is wanted.
  static func modernize(_ node: inout Node, version: Int) {
    if version < 7 { node.attributes["output_sequence"] = nil }
  }

  private static let mostHidden = 1 << 40

  /// Checks the inputs X, W, R, B, sequence_lens, initial_h and, for LSTM, initial_c and P; says Y and Y_h (and Y_c).
  func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    for index in 0..<inference.outputCount { inference.setType(index, type) }
    let x = try inference.shape(0, rank: 3)
    let steps = x[batchFirst ? 1 : 0]
    let batch = x[batchFirst ? 0 : 1]
    let hidden = if let hiddenSize { Dim.known(hiddenSize) } else { try inference.shape(2, rank: 3)[2] }
    guard (hidden.value ?? 0) <= Self.mostHidden else {
      throw DLRTError(
        .limitExceeded, "the state is too large", tensor: inference.name(2), expected: "at most \(Self.mostHidden)",
        got: "\(hidden)")
    }
    let count = Dim.known(directions)
    let rows = hidden * .known(gates)
    try require(&inference, 1, [count, rows, x[2]])
    try require(&inference, 2, [count, rows, hidden])
    try require(&inference, 3, [count, rows * 2])
    try require(&inference, 4, [batch])
    let state = batchFirst ? [batch, count, hidden] : [count, batch, hidden]
    try require(&inference, 5, state)
    try require(&inference, 6, state)
    try require(&inference, 7, [count, hidden * 3])
    inference.set(
      0, type, Shape(batchFirst ? [batch, steps, count, hidden] : [steps, count, batch, hidden]))
    inference.set(1, type, Shape(state))
    inference.set(2, type, Shape(state))
  }

  private func require(_ inference: inout Inference, _ index: Int, _ dims: [Dim]) throws {
    guard inference.has(index) else { return }
    let shape = try inference.shape(index)
    guard shape.rank == dims.count, !zip(shape.dims, dims).contains(where: { $0.provablyDiffers($1) }) else {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(index), expected: "\(Shape(dims))", got: "\(shape)")
    }
  }
}
