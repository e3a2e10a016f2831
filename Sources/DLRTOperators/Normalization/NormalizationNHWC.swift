import CKernelSupport
import DLRTGraph

/// dlrt's InstanceNormalization and GroupNormalization with channels last: each group of adjacent channels of
/// X[N, spatial…, C] brought to mean 0 and variance 1 over its image, times scale[C], plus bias[C]. `num_groups` 0 stands
/// for groups of one channel, and an activation may follow. float32, and smaller floats through it.
package struct NormalizationNHWC: Operator {
  package static let schema = OperatorSchema(
    "NormalizationNHWC", domain: OperatorName.internalDomain, versions: [1],
    inputs: [("X", "T"), ("scale", "T"), ("bias", "T")], outputs: [("Y", "T")],
    types: ["T": [.halfFloats, .float32]])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let groups: Int
  private let epsilon: Float
  package let activation: UnaryKernel

  package init(_ attributes: inout AttributeReader) throws {
    groups = try attributes.int("num_groups", default: 0)
    epsilon = try attributes.float("epsilon", default: 1e-5)
    activation = try UnaryKernel(&attributes)
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, try inference.type(0))
    let input = try inference.shape(0)
    guard input.rank >= 2 else {
      throw DLRTError(.invalidModel, "wrong rank", tensor: inference.name(0), expected: "at least 2", got: "\(input)")
    }
    if groups > 0, let channels = input[input.rank - 1].value, channels % groups != 0 {
      throw DLRTError(
        .invalidModel, "channels are no multiple of the groups", tensor: "num_groups",
        expected: "a divisor of \(channels)", got: "\(groups)")
    }
    try inference.checkVectors([1, 2], count: input[input.rank - 1])
    try inference.sameAsInput()
  }

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    if shape.contains(0) { return .nothing }
    let channels = shape[shape.count - 1]
    return PixelMoments(
      images: shape[0], pixels: shape.dropFirst().dropLast().reduce(1) { $0 &* $1 }, channels: channels,
      groups: groups == 0 ? channels : groups, epsilon: Double(epsilon), activation: activation,
      kernels: planning.kernels
    ).step(planning)
  }
}
