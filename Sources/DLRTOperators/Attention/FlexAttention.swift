import DLRTGraph

/// ONNX FlexAttention (1) of ai.onnx.preview: attention over [batch, heads, positions, size] whose scores pass through the
/// graph `score_mod` before the softmax, and its probabilities through `prob_mod` after it. Both graphs see a tensor
/// [batch, query heads, queries, keys] of the type `softmax_precision`.
package struct FlexAttention: Operator {
  package static let schema = OperatorSchema(
    "FlexAttention", domain: "ai.onnx.preview", versions: [1], inputs: [("Q", "T1"), ("K", "T1"), ("V", "T1")],
    outputs: [("Y", "T1")], types: ["T1": .floats])
  package static let promotedTypes = TypeSet.halfFloats
  private static let ownInputs = 3

  private let scale: Float?
  private let precision: DataType?
  private let scoreModifier: (any Subgraph)?
  private let probabilityModifier: (any Subgraph)?

  package init(_ attributes: inout AttributeReader) throws {
    scale = try attributes.optionalFloat("scale")
    precision = try attributes.optionalDataType("softmax_precision")
    if let precision, !TypeSet.floats.contains(precision) {
      throw DLRTError(
        .invalidModel, "no such precision", tensor: "softmax_precision", expected: "\(TypeSet.floats)",
        got: precision.name)
    }
    scoreModifier = attributes.has("score_mod") ? try attributes.subgraph("score_mod") : nil
    probabilityModifier = attributes.has("prob_mod") ? try attributes.subgraph("prob_mod") : nil
  }

  private func precision(of type: DataType) -> DataType { precision ?? (type == .float64 ? .float64 : .float32) }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    for index in 0..<Self.ownInputs { _ = try inference.shape(index, rank: 4) }
    let q = try AttentionDims(inference, 0, heads: nil)
    let k = try AttentionDims(inference, 1, heads: nil)
    let v = try AttentionDims(inference, 2, heads: nil)
    for (index, dims) in [(1, k), (2, v)] { try inference.requireEqual(dims.batch, q.batch, "the batch", of: index) }
    try inference.requireEqual(k.size, q.size, "the size of heads", of: 1)
    try inference.requireEqual(v.positions, k.positions, "the number of positions", of: 2)
    try inference.requireEqual(v.heads, k.heads, "the number of heads", of: 2)
    if let queries = q.heads.value, let keys = k.heads.value, keys == 0 ? queries != 0 : queries % keys != 0 {
      throw DLRTError(
        .invalidModel, "query heads cannot share key heads", tensor: "K", expected: "a divisor of \(queries)",
        got: "\(keys)")
    }
    let scores = Shape([q.batch, q.heads, q.positions, k.positions])
    for modifier in [scoreModifier, probabilityModifier] {
      if let modifier { try check(modifier, inference, precision(of: type), scores) }
    }
    inference.set(0, type, [q.batch, q.heads, q.positions, v.size])
  }

  /// A modifier gives a tensor like the one that it takes.
  private func check(_ modifier: any Subgraph, _ inference: Inference, _ type: DataType, _ shape: Shape) throws {
    let captured = Array(inference.inputs.dropFirst(Self.ownInputs))
    guard modifier.inputCount == 1 + captured.count, modifier.outputCount == 1 else {
      throw DLRTError(.invalidModel, "a modifier has one input and one output", tensor: "score_mod")
    }
    let result = try modifier.infer([Fact(type, shape)] + captured)[0]
    guard result.type == .tensor(type) else {
      throw DLRTError(
        .invalidModel, "a modifier changes the type", expected: type.name, got: "\(result.type)")
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = AttentionShape(
      q: planning.shape(0), k: planning.shape(1), v: planning.shape(2), past: 0, heads: nil)
    let type = planning.type(0)
    let precision = precision(of: type)
    let loop = FlexAttentionLoop(
      shape: shape, kernels: planning.kernels, scale: scale.map(Double.init) ?? 1 / Double(shape.headSize).squareRoot(),
      precision: precision,
      scoreModifier: scoreModifier, probabilityModifier: probabilityModifier,
      captured: Array(Self.ownInputs..<max(Self.ownInputs, planning.inputs.count)))
    let body: Step.Body =
      switch (type, precision) {
      case (.float64, _): loop.body(Double.self, Double.self)
      case (_, .float64): loop.body(Float.self, Double.self)
      default: loop.body(Float.self, Float.self)
      }
    let isWide = type == .float64 || precision == .float64
    return Step(
      kernel: planning.kernelName("flex-attention"), flops: shape.flops,
      workspace: loop.scoreCount * (isWide ? 8 : 4), body)
  }
}

private struct FlexAttentionLoop: Sendable {
  let shape: AttentionShape
  let kernels: KernelSet
  let scale: Double
  let precision: DataType
  let scoreModifier: (any Subgraph)?
  let probabilityModifier: (any Subgraph)?
  let captured: [Int]

  private var rows: Int { shape.batch &* shape.queryHeads &* shape.queries }
  var scoreCount: Int { rows &* shape.keys }

  /// - Parameters:
  ///   - T: the operands' type.
  ///   - C: the type of scores and probabilities.
  func body<T: RealElement, C: RealElement>(_: T.Type, _: C.Type) -> Step.Body {
    { io in
      let scores = io.workspace.assumingMemoryBound(to: C.self)
      forEachHead(io) { index, batch, head in
        score(io, T.self, scores + index &* shape.queries &* shape.keys, batch, head)
      }
      if let scoreModifier { try modify(io, scoreModifier, scores) }
      let softmax = SoftmaxLoop(.softmax, shape: [rows, shape.keys], axis: 1, kernels)
      softmax.apply(io, UnsafePointer(scores), scores)
      if let probabilityModifier { try modify(io, probabilityModifier, scores) }
      forEachHead(io) { index, batch, head in
        average(io, T.self, scores + index &* shape.queries &* shape.keys, batch, head)
      }
    }
  }

  private func forEachHead(_ io: borrowing StepIO, _ body: (Int, Int, Int) -> Void) {
    let cost = Double(shape.queries &* shape.keys &* shape.headSize) * 0.3
    io.parallel(Chunks(shape.batch &* shape.queryHeads, cost: cost)) { range in
      for index in range {
        let batch = index / shape.queryHeads
        body(index, batch, index &- batch &* shape.queryHeads)
      }
    }
  }

  private func score<T: RealElement, C: RealElement>(
    _ io: borrowing StepIO, _: T.Type, _ scores: UnsafeMutablePointer<C>, _ batch: Int, _ head: Int
  ) {
    let q = io.input(0, as: T.self) + shape.query.offset(batch, head)
    let k = io.input(1, as: T.self) + shape.key.offset(batch, head / shape.group)
    for row in 0..<shape.queries {
      for key in 0..<shape.keys {
        let product = RowSums.product(q + row &* shape.headSize, k + key &* shape.headSize, shape.headSize)
        scores[row &* shape.keys &+ key] = C(product * T(scale))
      }
    }
  }

  private func average<T: RealElement, C: RealElement>(
    _ io: borrowing StepIO, _: T.Type, _ probabilities: UnsafeMutablePointer<C>, _ batch: Int, _ head: Int
  ) {
    let v = io.input(2, as: T.self) + shape.value.offset(batch, head / shape.group)
    let y = io.output(0, as: T.self) + shape.result.offset(batch, head)
    for row in 0..<shape.queries {
      for column in 0..<shape.valueSize {
        var sum: C = 0
        for key in 0..<shape.keys {
          sum += probabilities[row &* shape.keys &+ key] * C(v[key &* shape.valueSize &+ column])
        }
        y[row &* shape.valueSize &+ column] = T(sum)
      }
    }
  }

  /// Runs a modifier on all scores and takes over its result.
  private func modify<C: RealElement>(
    _ io: borrowing StepIO, _ modifier: any Subgraph, _ scores: UnsafeMutablePointer<C>
  ) throws {
    let dims = [shape.batch, shape.queryHeads, shape.queries, shape.keys]
    let tensor = try Tensor(uninitialized: dims, type: precision)
    convert(scores, to: tensor)
    var arguments: [Value] = [.tensor(tensor)]
    for index in captured { arguments.append(try io.value(index)) }
    let results = try modifier.run(arguments, in: io.host)
    guard case .tensor(let result)? = results.first, result.type == precision, result.shape == dims else {
      throw DLRTError(
        .invalidModel, "a modifier changes the scores' type or shape", expected: "\(precision)\(dims)",
        got: results.first?.tensor.map { "\($0.type)\($0.shape)" })
    }
    convert(result, to: scores)
  }

  private func convert<C: RealElement>(_ scores: UnsafeMutablePointer<C>, to tensor: Tensor) {
    let target = tensor.mutablePointer
    for index in 0..<scoreCount {
      switch precision {
      case .float64: target.assumingMemoryBound(to: Double.self)[index] = scores[index].double
      case .float32: target.assumingMemoryBound(to: Float.self)[index] = Float(scores[index].double)
      default:
        var value = scores[index].double
        FloatCodec.encode(precision, &value, target + index &* precision.size, 1)
      }
    }
  }

  private func convert<C: RealElement>(_ tensor: Tensor, to scores: UnsafeMutablePointer<C>) {
    tensor.withUnsafeBytes { bytes in
      guard let source = bytes.baseAddress else { return }
      for index in 0..<scoreCount {
        switch precision {
        case .float64: scores[index] = C(source.loadUnaligned(fromByteOffset: index &* 8, as: Double.self))
        case .float32: scores[index] = C(source.loadUnaligned(fromByteOffset: index &* 4, as: Float.self))
        default:
          var value: Float = 0
          FloatCodec.decode(precision, source + index &* precision.size, &value, 1)
          scores[index] = C(value)
        }
      }
    }
  }
}
