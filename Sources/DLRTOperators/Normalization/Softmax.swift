import DLRTGraph

/// ONNX Softmax (1–13): exponentials along one axis, divided by their sum.
package struct Softmax: Operator {
  package static let schema = OperatorSchema(
    "Softmax", versions: [1, 11, 13], inputs: [("input", "T")], outputs: [("output", "T")], types: ["T": .floats])
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
    let loop = SoftmaxLoop(.softmax, shape: planning.shape(0), axis: axis, planning.kernels)
    return Step(kernel: planning.kernelName("softmax"), try planning.type(0).dispatch(loop))
  }

  package var inPlaceInputs: [Int] { [0] }
}
