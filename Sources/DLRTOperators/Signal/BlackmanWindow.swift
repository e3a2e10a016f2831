import DLRTGraph

/// ONNX BlackmanWindow (17–28): `0.42 − ½ cos(2πi/n) + 0.08 cos(4πi/n)`, where n is `size`, or one less if not `periodic`.
///
/// `size`: a scalar of int32 or int64; `output`: `[size]` of any float or integer type of at least eight bits.
package struct BlackmanWindow: Operator {
  package static let schema = CosineWindow.schema("BlackmanWindow")
  package static let promotedTypes = TypeSet.halfFloats

  private let window: CosineWindow

  package init(_ attributes: inout AttributeReader) throws {
    window = try CosineWindow(&attributes, (0.42, 0.5, 0.08))
  }

  package func infer(_ inference: inout Inference) throws { try window.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step { try window.plan(planning) }
}
