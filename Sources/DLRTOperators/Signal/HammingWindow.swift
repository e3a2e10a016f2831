import DLRTGraph

/// ONNX HammingWindow (17–28): `25/46 − 21/46 cos(2πi/n)`, where n is `size`, or one less if not `periodic`.
///
/// `size`: a scalar of int32 or int64; `output`: `[size]` of any float or integer type of at least eight bits.
package struct HammingWindow: Operator {
  package static let schema = CosineWindow.schema("HammingWindow")
  package static let promotedTypes = TypeSet.halfFloats

  private let window: CosineWindow

  package init(_ attributes: inout AttributeReader) throws {
    window = try CosineWindow(&attributes, (25.0 / 46, 21.0 / 46, 0))
  }

  package func infer(_ inference: inout Inference) throws { try window.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step { try window.plan(planning) }
}
