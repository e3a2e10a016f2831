import DLRTGraph

/// ai.onnx.ml LinearClassifier (1): scores `X · coefficientsᵀ + intercepts`, and the label of the greatest.
///
/// `X`: `[N, C]` or `[C]` of float, double, int64, int32; `Y`: `[N]` of int64 or string; `Z`: `[N, E]` of float. A model
/// with one score and two labels answers by the score's sign and gives the scores of both classes.
package struct LinearClassifier: Operator {
  package static let schema = OperatorSchema(
    "LinearClassifier", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T1")],
    outputs: [("Y", "T2"), ("Z", "tensor(float)")], types: ["T1": Features.types])

  private let weights: LinearWeights
  private let labels: ClassLabels
  private let transform: PostTransform

  package init(_ attributes: inout AttributeReader) throws {
    // Whether the scores compete is what post_transform says; no runtime reads this.
    attributes.ignore("multi_class")
    let scores = try attributes.optionalFloats("coefficients")?.count ?? 0
    weights = try LinearWeights(&attributes, scores: nil)
    labels = try ClassLabels(
      &attributes, integers: "classlabels_ints", strings: "classlabels_strings", classes: scores)
    transform = try attributes.choice("post_transform", default: .none)
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, labels.type)
    inference.setType(1, .float32)
    let (rows, columns) = try inference.features()
    inference.set(0, labels.type, [rows])
    let scores = try weights.scores(inference, columns: columns)
    guard scores == 1 || labels.count == scores || labels.count == 0 else {
      throw DLRTError(
        .invalidModel, "labels do not match the scores", tensor: "classlabels", expected: "\(scores)",
        got: "\(labels.count)")
    }
    inference.set(1, .float32, [rows, .known(scores == 1 && labels.count == 2 ? 2 : scores)])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let features = Features(planning.input(0))
    let wantsLabels = planning.wants(output: 0)
    let wantsScores = planning.wants(output: 1)
    let count = weights.scores(columns: features.columns)
    let loop = RowLoop(
      rows: features.rows, cost: Double(features.columns * count), scratch: features.columns + count + 1)
    return Step(kernel: "linear", flops: features.rows * features.columns * count, workspace: loop.workspace) { io in
      let (x, y, z) = (io.input(0), io.output(0), io.output(1, as: Float.self))
      loop.run(io) { row, scratch in
        let scores = scratch + features.columns
        features.read(row, of: x, into: scratch)
        weights.evaluate(scratch, columns: features.columns, into: scores, count)
        var width = count
        if count == 1 {
          if wantsLabels { labels.write(scores[0] > 0 ? labels.positive : labels.negative, to: y, row: row) }
          if labels.count == 2 {
            (scores[0], scores[1]) = transform.pair(scores[0], isProbability: true)
            width = 2
          } else {
            transform.apply(scores, 1)
          }
        } else {
          if wantsLabels { labels.write(scores.indexOfGreatest(count), to: y, row: row) }
          transform.apply(scores, count)
        }
        if wantsScores {
          for index in 0..<width { z[row &* width &+ index] = Float(scores[index]) }
        }
      }
    }
  }
}
