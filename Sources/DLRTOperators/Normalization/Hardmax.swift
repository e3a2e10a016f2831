import DLRTGraph

/// ONNX Hardmax (1–13): 1 for the first of the largest elements along one axis, 0 for the others.
package struct Hardmax: Operator {
  package static let schema = OperatorSchema(
    "Hardmax", versions: [1, 11, 13], inputs: [("input", "T")], outputs: [("output", "T")], types: ["T": .floats])
  package static let promotedTypes = TypeSet.halfFloats
  private let axis: Int

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    try FlattenedAxis.modernize(&node, version: version, in: &graph)
  }

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: -1)
  }

  package func infer(_ inference: inout Inference) throws {
    try inference.sameAsInput()
    _ = try inference.axis(axis, rank: max(inference.rank(0), 1))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let loop = SoftmaxLoop(.hardmax, shape: planning.shape(0), axis: axis, planning.kernels)
    return Step(kernel: "hardmax", try planning.type(0).dispatch(loop))
  }

  package var inPlaceInputs: [Int] { [0] }
}
