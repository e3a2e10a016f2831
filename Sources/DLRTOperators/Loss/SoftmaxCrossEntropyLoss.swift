import DLRTGraph

/// ONNX SoftmaxCrossEntropyLoss (12–13): the negative log-likelihood loss of the log-softmax of scores [N, C, d…] over
/// the classes, for labels [N, d…]. The second output is the log-softmax.
package struct SoftmaxCrossEntropyLoss: Operator {
  package static let schema = OperatorSchema(
    "SoftmaxCrossEntropyLoss", versions: [12, 13],
    inputs: [("scores", "T"), ("labels", "Tind"), ("weights?", "T")], outputs: [("output", "T"), ("log_prob?", "T")],
    types: ["T": .floats, "Tind": .indices])
  package static let promotedTypes = TypeSet.halfFloats
  private let loss: LabelLoss

  package init(_ attributes: inout AttributeReader) throws { loss = try LabelLoss(&attributes) }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(1, type)
    try loss.infer(&inference)
    inference.set(1, type, try inference.shape(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let task = Task(
      softmax: SoftmaxLoop(.logSoftmax, shape: planning.shape(0), axis: 1, planning.kernels), loop: loss.loop(planning),
      wantsProbabilities: planning.wants(output: 1))
    return Step(
      kernel: planning.kernelName("crossentropy"), workspace: task.wantsProbabilities ? 0 : planning.input(0).byteCount,
      try planning.type(0).dispatch(task))
  }

  private struct Task: FloatTask {
    let softmax: SoftmaxLoop
    let loop: LabelLoss.Loop
    let wantsProbabilities: Bool

    func run<T: RealElement>(_ type: T.Type) -> Step.Body {
      { io in
        let logarithms =
          wantsProbabilities ? io.output(1, as: T.self) : io.workspace.assumingMemoryBound(to: T.self)
        softmax.apply(io, io.input(0, as: T.self), logarithms)
        try loop.run(io, logProbabilities: UnsafePointer(logarithms))
      }
    }
  }
}
