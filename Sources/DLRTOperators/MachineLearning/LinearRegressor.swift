import DLRTGraph

/// ai.onnx.ml LinearRegressor (1): `Y = X · coefficientsᵀ + intercepts`, transformed.
///
/// `X`: `[N, C]` or `[C]` of float, double, int64, int32; `Y`: `[N, targets]` of float.
package struct LinearRegressor: Operator {
  package static let schema = OperatorSchema(
    "LinearRegressor", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T")],
    outputs: [("Y", "tensor(float)")], types: ["T": Features.types])

  private let weights: LinearWeights
  private let targets: Int
  private let transform: PostTransform

  package init(_ attributes: inout AttributeReader) throws {
    targets = try attributes.int("targets", default: 1)
    guard targets > 0 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "targets", expected: "at least 1", got: "\(targets)")
    }
    weights = try LinearWeights(&attributes, scores: targets)
    transform = try attributes.choice("post_transform", default: .none)
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    let (rows, columns) = try inference.features()
    _ = try weights.scores(inference, columns: columns)
    inference.set(0, .float32, [rows, .known(targets)])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let features = Features(planning.input(0))
    let loop = RowLoop(
      rows: features.rows, cost: Double(features.columns * targets), scratch: features.columns + targets)
    return Step(kernel: "linear", flops: features.rows * features.columns * targets, workspace: loop.workspace) { io in
      let (x, y) = (io.input(0), io.output(0, as: Float.self))
      loop.run(io) { row, scratch in
        let scores = scratch + features.columns
        features.read(row, of: x, into: scratch)
        weights.evaluate(scratch, columns: features.columns, into: scores, targets)
        transform.apply(scores, targets)
        for index in 0..<targets { y[row &* targets &+ index] = Float(scores[index]) }
      }
    }
  }
}
