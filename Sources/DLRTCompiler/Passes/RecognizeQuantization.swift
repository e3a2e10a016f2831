import CKernelSupport
import DLRTGraph
import DLRTOperators

/// Finds what quantisation tools write as floats between DequantizeLinear and QuantizeLinear (arXiv 1712.05877), and does
/// it on the bytes: convolutions, matrix products, sums and products of elements as QLinearConv, QLinearProduct,
/// QLinearAdd and QLinearMul, Concat with parts brought to one scale, and what only moves or compares elements as it is.
struct RecognizeQuantization: Pass {
  let name = "recognize-quantization"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      guard let result = Quantized(quantize: id, matcher), var made = try replacement(result, matcher, &patch) else {
        continue
      }
      made.outputs = program.graph[id].outputs
      patch.update(id, made)
    }
    return patch
  }

  private func replacement(_ result: Quantized, _ matcher: Matcher, _ patch: inout GraphPatch) throws -> Node? {
    guard let id = result.source(matcher) else { return nil }
    let node = matcher[id]
    guard node.op.domain.isEmpty, node.captureCount == 0, node.outputs.dropFirst().allSatisfy({ $0 == nil }) else {
      return nil
    }
    switch node.op.name {
    case "Conv": return try convolution(node, result, matcher, &patch)
    case "Gemm", "MatMul": return try product(node, result, matcher, &patch)
    case "Add", "Mul": return binary(node, result, matcher)
    case "Concat": return try concat(node, result, matcher, &patch)
    case "MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Gather":
      guard let x = Quantized(dequantize: node.input(0), matcher), x.isSame(result, matcher) else { return nil }
      var made = node
      made.inputs[0] = x.value
      return made
    default: return nil
    }
  }

  private func convolution(
    _ node: Node, _ result: Quantized, _ matcher: Matcher, _ patch: inout GraphPatch
  ) throws -> Node? {
    guard let x = Quantized(dequantize: node.input(0), matcher), let xScale = matcher.scalar(x.scale),
      let weights = QuantizedWeights(node.input(1), matcher), (3...5).contains(weights.bytes.rank),
      weights.scales.count == 1 || weights.axis == 0
    else { return nil }
    let perChannel = weights.bytes.shape.dropFirst()
    guard let bias = bias(node.input(2), Float(xScale), weights.scales, terms: perChannel, matcher) else { return nil }
    var made = node
    made.op = OperatorName("QLinearConv")
    made.inputs = try inputs(x, weights, result, bias: bias.value, &patch)
    return made
  }

  /// The product of rows and a constant matrix of int8, as Gemm with a bias or MatMul.
  private func product(
    _ node: Node, _ result: Quantized, _ matcher: Matcher, _ patch: inout GraphPatch
  ) throws -> Node? {
    let transB = node.int("transB", 0) != 0, columns = transB ? 0 : 1
    guard node.int("transA", 0) == 0, node.float("alpha", 1) == 1, node.float("beta", 1) == 1,
      let x = Quantized(dequantize: node.input(0), matcher),
      let xScale = matcher.scalar(x.scale), let rank = matcher.shape(x.value)?.rank, rank > 0,
      let weights = QuantizedWeights(node.input(1), matcher), weights.bytes.rank == 2, weights.bytes.type == .int8,
      case let shape = weights.bytes.shape, shape.allSatisfy({ $0 > 0 }), isZero(weights.zero, matcher),
      weights.scales.count == 1 || weights.scales.count == shape[columns] && weights.axis & 1 == columns,
      let bias = bias(node.input(2), Float(xScale), weights.scales, terms: [shape[1 - columns]], matcher),
      bias.count == nil || bias.count == shape[columns]
    else { return nil }
    return Node(
      OperatorName("QLinearProduct", domain: OperatorName.internalDomain), name: node.name,
      attributes: ["transB": .int(transB ? 1 : 0)],
      inputs: try inputs(x, weights, result, bias: bias.value, &patch), outputs: [])
  }

  /// What QLinearConv and QLinearProduct read.
  private func inputs(
    _ x: Quantized, _ weights: QuantizedWeights, _ result: Quantized, bias: ValueID?, _ patch: inout GraphPatch
  ) throws -> [ValueID?] {
    [
      x.value, x.scale, try x.zeroPoint(&patch), weights.value, weights.scale,
      try weights.zero ?? patch.zero(weights.bytes.type), result.scale, try result.zeroPoint(&patch), bias,
    ]
  }

  /// Parts become bytes of the result's scale and zero point one by one, if they are not.
  private func concat(
    _ node: Node, _ result: Quantized, _ matcher: Matcher, _ patch: inout GraphPatch
  ) throws -> Node? {
    let parts = node.inputs.compactMap { Quantized(dequantize: $0, matcher) }
    guard parts.count == node.inputs.count, parts.allSatisfy({ $0.type == result.type }) else { return nil }
    var made = node
    for (index, x) in parts.enumerated() {
      if x.isSame(result, matcher) {
        made.inputs[index] = x.value
      } else {
        made.inputs[index] = patch.node(
          OperatorName("QuantizeLinear"), name: node.name,
          inputs: [node.input(index), result.scale, try result.zeroPoint(&patch)],
          output: Graph.Value(name: "", type: .tensor(result.type), shape: matcher.shape(x.value)))
      }
    }
    return made
  }

  /// A bias in the unit of the sums, if there is one: nil where it is none, or where sums of int32 would not hold what
  /// floats did.
  private func bias(
    _ given: ValueID?, _ x: Float, _ scales: Tensor, terms: some Sequence<Int>, _ matcher: Matcher
  ) -> (value: ValueID?, count: Int?)? {
    var largest = terms.reduce(255 * 255) { $0.multipliedReportingOverflow(by: $1).partialValue }
    var bias: (value: ValueID?, count: Int?)
    if let given {
      guard let dequantize = matcher.node(given, "DequantizeLinear"), let sums = dequantize.input(0),
        matcher.type(sums) == .int32, let scale = matcher.constant(dequantize.input(1)), scale.type == .float32,
        isZero(dequantize.input(2), matcher), fits(scale, x, scales)
      else { return nil }
      guard let constant = matcher.constant(sums), constant.rank == 1, let numbers = constant.integers else {
        return nil
      }
      largest &+= numbers.reduce(0) { max($0, abs($1)) }
      bias = (sums, constant.count)
    }
    return (0...Int(Int32.max)).contains(largest) ? bias : nil
  }

  private func isZero(_ value: ValueID?, _ matcher: Matcher) -> Bool {
    guard let value else { return true }
    return matcher.constant(value)?.integers?.allSatisfy { $0 == 0 } ?? false
  }

  /// Whether a bias comes in the unit of the sums.
  private func fits(_ bias: Tensor, _ x: Float, _ weights: Tensor) -> Bool {
    let (given, factors) = (bias.elements(Float.self), weights.elements(Float.self))
    guard !given.isEmpty, !factors.isEmpty else { return false }
    guard given.count == factors.count || given.count == 1 || factors.count == 1 else { return false }
    return (0..<max(given.count, factors.count)).allSatisfy { index in
      let wanted = x * factors[factors.count == 1 ? 0 : index]
      return abs(given[given.count == 1 ? 0 : index] - wanted) <= 1e-5 * abs(wanted)
    }
  }

  private func binary(_ node: Node, _ result: Quantized, _ matcher: Matcher) -> Node? {
    guard let a = Quantized(dequantize: node.input(0), matcher), let b = Quantized(dequantize: node.input(1), matcher),
      a.type == result.type, b.type == result.type
    else { return nil }
    return Node(
      OperatorName("QLinear\(node.op.name)", domain: OperatorName.microsoftDomain), name: node.name,
      inputs: [a.value, a.scale, a.zero, b.value, b.scale, b.zero, result.scale, result.zero], outputs: [])
  }
}

/// Bytes with one scale and one zero point.
private struct Quantized {
  /// The bytes, or the floats that become bytes.
  let value: ValueID
  let scale: ValueID
  let zero: ValueID?
  let type: DataType

  /// What a QuantizeLinear makes, if nobody else reads its operand.
  init?(quantize id: NodeID, _ matcher: Matcher) {
    let node = matcher[id]
    guard node.op == OperatorName("QuantizeLinear"), let output = node.output(0), let type = matcher.type(output),
      let value = node.input(0), matcher.useCount(value) == 1, matcher.type(value) == .float32
    else { return nil }
    self.init(node, value, type, matcher)
  }

  /// What a DequantizeLinear reads.
  init?(dequantize value: ValueID?, _ matcher: Matcher) {
    guard let node = matcher.node(value, "DequantizeLinear"), let bytes = node.input(0), let type = matcher.type(bytes),
      matcher.type(value) == .float32
    else { return nil }
    self.init(node, bytes, type, matcher)
  }

  private init?(_ node: Node, _ value: ValueID, _ type: DataType, _ matcher: Matcher) {
    guard type == .int8 || type == .uint8, let scale = node.input(1), matcher.type(scale) == .float32,
      matcher.shape(scale)?.elementCount == 1, let number = matcher.scalar(scale), number > 0, number.isFinite,
      node.input(2) == nil || matcher.constant(node.input(2)) != nil
    else { return nil }
    (self.value, self.scale, self.type) = (value, scale, type)
    zero = node.input(2)
  }

  func zeroPoint(_ patch: inout GraphPatch) throws -> ValueID { try zero ?? patch.zero(type) }

  private func zeroNumber(_ matcher: Matcher) -> Double {
    Double(matcher.constant(zero)?.integers?.first ?? 0)
  }

  func isSame(_ other: Quantized, _ matcher: Matcher) -> Bool {
    type == other.type && matcher.scalar(scale) == matcher.scalar(other.scale)
      && zeroNumber(matcher) == other.zeroNumber(matcher)
  }

  /// The node whose result is quantised, beyond an activation that saturation does as well.
  func source(_ matcher: Matcher) -> NodeID? {
    guard let id = matcher.producer(value) else { return nil }
    guard let kernel = matcher.unaryKernel(id), let input = matcher[id].input(0), matcher.useCount(input) == 1,
      isImplied(kernel, matcher)
    else { return id }
    return matcher.producer(input)
  }

  private func isImplied(_ kernel: UnaryKernel, _ matcher: Matcher) -> Bool {
    guard let scale = matcher.scalar(scale), scale > 0 else { return false }
    let least: Double = type == .int8 ? -128 : 0
    let zero = zeroNumber(matcher)
    func byte(_ value: Float) -> Double { (Double(value) / scale).rounded(.toNearestOrEven) + zero }
    return switch kernel.function {
    case DLK_UNARY_RELU: byte(0) <= least
    case DLK_UNARY_CLIP: byte(kernel.a) <= least && byte(kernel.b) >= least + 255
    default: false
    }
  }
}

/// Constant bytes with one scale, or one for each index of an axis.
private struct QuantizedWeights {
  let value: ValueID
  let bytes: Tensor
  let scale: ValueID
  let scales: Tensor
  let zero: ValueID?
  /// As the model says it: negative ones count from the end.
  let axis: Int

  /// What a DequantizeLinear reads.
  init?(_ value: ValueID?, _ matcher: Matcher) {
    guard let node = matcher.node(value, "DequantizeLinear"), let value = node.input(0),
      let bytes = matcher.constant(value), bytes.type == .int8 || bytes.type == .uint8,
      let scale = node.input(1), let scales = matcher.constant(scale), scales.type == .float32, scales.rank <= 1
    else { return nil }
    (self.value, self.bytes, self.scale, self.scales) = (value, bytes, scale, scales)
    zero = node.input(2)
    axis = node.int("axis", 1)
  }
}

extension GraphPatch {
  /// A zero point of zero.
  fileprivate mutating func zero(_ type: DataType) throws -> ValueID {
    let tensor = try Tensor(uninitialized: [], type: type)
    tensor.mutablePointer.initializeMemory(as: UInt8.self, repeating: 0, count: tensor.byteCount)
    return constant(tensor)
  }
}
