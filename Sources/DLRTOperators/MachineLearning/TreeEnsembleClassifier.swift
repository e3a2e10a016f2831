import DLRTGraph

/// ai.onnx.ml TreeEnsembleClassifier (1–5): decision trees vote for classes.
///
/// `X`: `[N, C]` or `[C]` of float, double, int64, int32; `Y`: `[N]` of int64 or string; `Z`: `[N, E]` of float. A model
/// whose votes all go to one class of two decides by that score: above one half where no weight is negative, above
/// zero otherwise. A model of a single label answers 1 for scores above zero, and 0.
package struct TreeEnsembleClassifier: Operator {
  package static let schema = OperatorSchema(
    "TreeEnsembleClassifier", domain: OperatorName.machineLearningDomain, versions: [1, 3, 5],
    inputs: [("X", "T1")], outputs: [("Y", "T2"), ("Z", "tensor(float)")], types: ["T1": Features.types])

  private let forest: Forest
  private let labels: ClassLabels
  private let transform: PostTransform
  private let bases: [Double]
  private let classes: Int
  /// The class that gets all votes, where that is one of two.
  private let onlyClass: Int?
  private let isPositive: Bool

  package init(_ attributes: inout AttributeReader) throws {
    let ids = try attributes.ints("class_ids")
    labels = try ClassLabels(
      &attributes, integers: "classlabels_int64s", strings: "classlabels_strings", classes: 0)
    classes = labels.count
    guard classes > 0 else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "classlabels_int64s")
    }
    forest = try Forest(&attributes, prefix: "class", weights: "class_weights", ids: "class_ids", targets: classes)
    bases = try attributes.numbers("base_values")
    transform = try attributes.choice("post_transform", default: .none)
    isPositive = forest.votes.allSatisfy { $0.weight >= 0 }
    onlyClass = classes <= 2 && Set(ids).count == 1 ? ids.first : nil
    guard bases.isEmpty || bases.count == classes || bases.count == 1 && onlyClass == 0 else {
      throw DLRTError(
        .invalidModel, "wrong number of elements", tensor: "base_values", expected: "\(classes)", got: "\(bases.count)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, labels.type)
    inference.setType(1, .float32)
    let (rows, columns) = try inference.features()
    try inference.check(forest, columns: columns)
    inference.set(0, labels.type, [rows])
    inference.set(1, .float32, [rows, .known(classes)])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let features = Features(planning.input(0))
    let wantsLabels = planning.wants(output: 0)
    let wantsScores = planning.wants(output: 1)
    let loop = RowLoop(
      rows: features.rows, cost: forest.cost + Double(features.columns), scratch: features.columns + 2 * classes)
    return Step(kernel: "trees", workspace: loop.workspace) { io in
      let (x, y, z) = (io.input(0), io.output(0), io.output(1, as: Float.self))
      loop.run(io) { row, scratch in
        let scores = scratch + features.columns
        features.read(row, of: x, into: scratch)
        forest.evaluate(scratch, .sum, into: scores, classes, seen: scores + classes)
        for index in bases.indices { scores[index] += bases[index] }
        if wantsLabels { labels.write(decide(scores), to: y, row: row) }
        guard wantsScores else { return }
        if classes == 2, onlyClass == 0 {
          (scores[0], scores[1]) = transform.pair(scores[0], isProbability: isPositive)
        } else {
          transform.apply(scores, classes)
        }
        for index in 0..<classes { z[row &* classes &+ index] = Float(scores[index]) }
      }
    }
  }

  private func decide(_ scores: UnsafeMutablePointer<Double>) -> Int {
    guard let onlyClass else { return scores.indexOfGreatest(classes) }
    return scores[onlyClass] > (isPositive && classes == 2 ? 0.5 : 0) ? labels.positive : labels.negative
  }
}
