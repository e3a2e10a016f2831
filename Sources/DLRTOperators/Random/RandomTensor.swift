import DLRTGraph

/// Rules that RandomNormal, RandomUniform and their `Like` forms share.
struct RandomTensor: Sendable {
  private let distribution: Distribution
  private let type: DataType?
  private let seed: UInt64?

  /// - Parameter defaultType: the element type without an attribute `dtype`; nil for the input's.
  init(normal attributes: inout AttributeReader, defaultType: DataType?) throws {
    let mean = Double(try attributes.float("mean", default: 0))
    let scale = Double(try attributes.float("scale", default: 1))
    try self.init(&attributes, .normal(mean: mean, deviation: scale), defaultType)
  }

  init(uniform attributes: inout AttributeReader, defaultType: DataType?) throws {
    let low = Double(try attributes.float("low", default: 0))
    let high = Double(try attributes.float("high", default: 1))
    try self.init(&attributes, .uniform(low: low, high: high), defaultType)
  }

  private init(_ attributes: inout AttributeReader, _ distribution: Distribution, _ defaultType: DataType?) throws {
    self.distribution = distribution
    type = try attributes.optionalDataType("dtype") ?? defaultType
    seed = try attributes.seed()
  }

  func infer(_ inference: inout Inference, _ shape: Shape?) throws {
    let type = try type ?? inference.type(0)
    guard TypeSet.floats.contains(type) else {
      throw DLRTError(
        .invalidModel, "element type is not supported", tensor: "dtype", expected: "one of \(TypeSet.floats)",
        got: type.name)
    }
    inference.setType(0, type)
    inference.set(0, type, try shape ?? inference.shape(0))
  }

  func plan(_ planning: Planning) throws -> Step {
    let source = RandomSource(seed: seed, planning)
    let fill = try planning.outputType(0).dispatch(RandomFilling(distribution: distribution, kernels: planning.kernels))
    let chunks = Chunks(planning.output(0).count, cost: 10, multiple: 4)
    return Step(kernel: "philox") { io in
      let generator = source.generator(io)
      let out = io.output(0)
      io.parallel(chunks) { fill(generator, out, $0) }
    }
  }
}

extension AttributeReader {
  /// The attribute `shape` of operators that make tensors.
  mutating func outputShape() throws -> Shape {
    let sizes = try ints("shape")
    guard sizes.checkedProduct != nil else {
      throw DLRTError(.invalidModel, "no valid shape", tensor: "shape", got: "\(sizes)")
    }
    return Shape(sizes)
  }
}
