import DLRTGraph

/// ONNX BatchNormalization (1, 6, 7, 9, 14, 15): (X − mean) / √(var + epsilon) · scale + B for each channel of
/// `[N, C, spatial…]`. With training_mode the batch's own mean and population variance are used, and the outputs 1 and 2
/// are the running statistics moved towards them. float16, bfloat16, float, double, which may differ between data,
/// scale and statistics.
package struct BatchNormalization: Operator {
  package static let schema = OperatorSchema(
    "BatchNormalization", versions: [1, 6, 7, 9, 14, 15],
    inputs: [("X", "T"), ("scale", "T1"), ("B", "T1"), ("input_mean", "T2"), ("input_var", "T2")],
    outputs: [("Y", "T"), ("running_mean?", "T2"), ("running_var?", "T2")],
    types: ["T": .floats, "T1": .floats, "T2": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  package let epsilon: Float
  package let isTraining: Bool
  private let momentum: Float

  /// Before version 14 further outputs meant training, and five of them were possible.
  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard version < 14 else { return }
    for name in ["consumed_inputs", "is_test"] { node.attributes[name] = nil }
    let isSpatial = version >= 9 || node.int("spatial", 1) != 0
    // Later versions do not have it; a zero is refused there.
    if version < 9 || node.int("spatial", 1) == 1 { node.attributes["spatial"] = nil }
    let extra = node.outputs.dropFirst().compactMap { $0 }
    if !isSpatial {
      guard extra.isEmpty else {
        throw DLRTError(
          .unsupportedModel, "training with statistics for each activation is not implemented", tensor: "spatial",
          expected: "1", got: "0")
      }
      return try normalizeEachActivation(&node, in: &graph)
    }
    if !extra.isEmpty { node.attributes["training_mode"] = .int(1) }
    guard node.outputs.count > 3 else { return }
    guard node.outputs.dropFirst(3).allSatisfy({ $0 == nil }) else {
      throw DLRTError(.unsupportedModel, "outputs saved_mean and saved_var are not implemented")
    }
    node.outputs.removeLast(node.outputs.count - 3)
  }

  /// Before version 9 each activation could have parameters of its own, which then have the shape of X without its batch.
  private static func normalizeEachActivation(_ node: inout Node, in graph: inout Graph) throws {
    let type = node.input(0).flatMap { graph[$0].type }
    let shape = node.input(0).flatMap { graph[$0].shape }
    for index in 1...4 {
      guard let parameter = node.input(index) else {
        throw DLRTError(.invalidModel, "a required input is missing", tensor: schema.input(index)?.name ?? "")
      }
      guard let shape, let own = graph[parameter].shape else { continue }
      guard own.rank == shape.rank - 1, zip(own.dims, shape.dims.dropFirst()).allSatisfy({ !$0.provablyDiffers($1) })
      else {
        throw DLRTError(
          .invalidModel, "wrong shape", tensor: graph[parameter].name,
          expected: "\(Shape(Array(shape.dims.dropFirst())))", got: "\(own)")
      }
    }
    func made(_ op: String, _ inputs: ValueID?...) -> ValueID {
      let result = graph.addValue(Graph.Value(name: "", type: type))
      graph.addNode(Node(OperatorName(op), name: node.name, inputs: inputs, outputs: [result]))
      return result
    }
    let epsilon = graph.addConstant(try Tensor(scalar: node.float("epsilon", 1e-5)))
    let variance = made("Add", node.input(4), made("CastLike", epsilon, node.input(4)))
    let centered = made("Sub", node.input(0), node.input(3))
    let scaled = made("Mul", centered, made("Div", node.input(1), made("Sqrt", variance)))
    node = Node(OperatorName("Add"), name: node.name, inputs: [scaled, node.input(2)], outputs: [node.output(0)])
  }

  package init(_ attributes: inout AttributeReader) throws {
    epsilon = try attributes.float("epsilon", default: 1e-5)
    momentum = try attributes.float("momentum", default: 0.9)
    isTraining = try attributes.flag("training_mode")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    let statistics = try inference.type(3)
    inference.setType(0, type)
    for output in [1, 2] { inference.setType(output, statistics) }
    let input = try inference.shape(0)
    guard input.rank >= 1 else {
      throw DLRTError(.invalidModel, "wrong rank", tensor: inference.name(0), expected: "at least 1", got: "\(input)")
    }
    let channels = input.rank > 1 ? input[1] : 1
    try inference.checkVectors([1, 2, 3, 4], count: channels)
    inference.set(0, type, input)
    for output in [1, 2] { inference.set(output, statistics, [channels]) }
  }

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    guard isTraining || !planning.wants(output: 1) && !planning.wants(output: 2) else {
      throw DLRTError(.invalidModel, "only training has running statistics", tensor: "training_mode")
    }
    return try planning.type(0).dispatch(Plan(op: self, planning: planning))
  }

  private struct Plan: FloatTask {
    let op: BatchNormalization
    let planning: Planning
    func run<T: RealElement>(_ type: T.Type) -> Step {
      op.isTraining ? op.trainingStep(planning, type) : op.inferenceStep(planning, type)
    }
  }
}

extension BatchNormalization {
  private func parameters(_ planning: Planning) -> @Sendable (borrowing StepIO) -> ChannelParameters {
    let types = (1...4).map { planning.type($0) }
    return { io in
      ChannelParameters(
        scale: ParameterVector(type: types[0], base: io.input(1)),
        bias: ParameterVector(type: types[1], base: io.input(2)),
        mean: ParameterVector(type: types[2], base: io.input(3)),
        variance: ParameterVector(type: types[3], base: io.input(4)))
    }
  }

  private func inferenceStep<T: RealElement>(_ planning: Planning, _: T.Type) -> Step {
    let layout = ChannelLayout(planning.shape(0))
    let parameters = parameters(planning)
    let epsilon = Double(epsilon)
    let chunks = Chunks(layout.planes, cost: Double(layout.size) * 0.3)
    return Step(kernel: "affine", workspace: layout.channels * 2 * MemoryLayout<T>.size) { io in
      let factors = io.workspace.assumingMemoryBound(to: T.self)
      let shifts = factors + layout.channels
      let channel = parameters(io)
      for index in 0..<layout.channels {
        let factor = channel.scale[index] / (channel.variance[index] + epsilon).squareRoot()
        factors[index] = T(factor)
        shifts[index] = T(channel.bias[index] - channel.mean[index] * factor)
      }
      let (x, y) = (io.input(0, as: T.self), io.output(0, as: T.self))
      io.parallel(chunks) { range in
        for plane in range {
          let (factor, shift) = (factors[plane % layout.channels], shifts[plane % layout.channels])
          let start = plane &* layout.size
          for index in start..<start &+ layout.size { y[index] = x[index] * factor + shift }
        }
      }
    }
  }

  private func trainingStep<T: RealElement>(_ planning: Planning, _: T.Type) -> Step {
    let layout = ChannelLayout(planning.shape(0))
    let parameters = parameters(planning)
    let (epsilon, momentum) = (Double(epsilon), Double(momentum))
    let statisticsType = planning.type(3)
    let wanted = (planning.wants(output: 0), planning.wants(output: 1), planning.wants(output: 2))
    let images = layout.size == 0 ? 0 : layout.images
    let chunks = Chunks(layout.channels, cost: Double(images * layout.size) * 2)
    return Step(kernel: "batch-statistics") { io in
      let channel = parameters(io)
      let (x, y) = (io.input(0, as: T.self), io.output(0, as: T.self))
      let (means, variances) = (io.output(1), io.output(2))
      let stride = layout.channels &* layout.size
      io.parallel(chunks) { range in
        for index in range {
          let start = index &* layout.size
          let moments = Moments(x + start, count: layout.size, runs: images, stride: stride)
          if wanted.1 {
            store(channel.mean[index] * momentum + moments.mean * (1 - momentum), means, index, statisticsType)
          }
          if wanted.2 {
            store(
              channel.variance[index] * momentum + moments.variance * (1 - momentum), variances, index, statisticsType)
          }
          guard wanted.0 else { continue }
          let factor = channel.scale[index] / (moments.variance + epsilon).squareRoot()
          let (mean, scale, bias) = (T(moments.mean), T(factor), T(channel.bias[index]))
          for image in 0..<images {
            let first = start &+ image &* stride
            for element in first..<first &+ layout.size { y[element] = (x[element] - mean) * scale + bias }
          }
        }
      }
    }
  }

  private func store(_ value: Double, _ target: UnsafeMutableRawPointer, _ index: Int, _ type: DataType) {
    if type == .float64 {
      target.storeBytes(of: value, toByteOffset: index &* 8, as: Double.self)
    } else {
      target.storeBytes(of: Float(value), toByteOffset: index &* 4, as: Float.self)
    }
  }
}

private struct ChannelParameters {
  let scale: ParameterVector
  let bias: ParameterVector
  let mean: ParameterVector
  let variance: ParameterVector
}
