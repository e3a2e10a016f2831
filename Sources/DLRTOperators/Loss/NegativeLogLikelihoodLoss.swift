import DLRTGraph

/// ONNX NegativeLogLikelihoodLoss (12–22): minus the log-probability of each sample's class, weighted, for
/// log-probabilities [N, C, d…] and labels [N, d…]; for each sample, summed, or averaged by weight.
package struct NegativeLogLikelihoodLoss: Operator {
  package static let schema = OperatorSchema(
    "NegativeLogLikelihoodLoss", versions: [12, 13, 22],
    inputs: [("input", "T"), ("target", "Tind"), ("weight?", "T")], outputs: [("loss", "T")],
    types: ["T": .floats, "Tind": .indices])
  package static let promotedTypes = TypeSet.halfFloats
  private let loss: LabelLoss

  package init(_ attributes: inout AttributeReader) throws { loss = try LabelLoss(&attributes) }
  package func infer(_ inference: inout Inference) throws { try loss.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step {
    Step(kernel: "nllloss", try planning.type(0).dispatch(Task(loop: loss.loop(planning))))
  }

  private struct Task: FloatTask {
    let loop: LabelLoss.Loop

    func run<T: RealElement>(_ type: T.Type) -> Step.Body {
      { io in try loop.run(io, logProbabilities: io.input(0, as: T.self)) }
    }
  }
}
