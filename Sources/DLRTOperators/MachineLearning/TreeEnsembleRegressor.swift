import DLRTGraph

/// ai.onnx.ml TreeEnsembleRegressor (1–5): the aggregated votes of decision trees, plus base values, transformed.
///
/// `X`: `[N, C]` or `[C]` of float, double, int64, int32; `Y`: `[N, n_targets]` of float.
package struct TreeEnsembleRegressor: Operator {
  package static let schema = OperatorSchema(
    "TreeEnsembleRegressor", domain: OperatorName.machineLearningDomain, versions: [1, 3, 5], inputs: [("X", "T")],
    outputs: [("Y", "tensor(float)")], types: ["T": Features.types])

  private let ensemble: TreeRegression

  package init(_ attributes: inout AttributeReader) throws {
    let targets = try TreeRegression.targets(&attributes)
    let forest = try Forest(
      &attributes, prefix: "target", weights: "target_weights", ids: "target_ids", targets: targets)
    let bases = try attributes.numbers("base_values")
    if !bases.isEmpty { try Forest.require("base_values", bases.count, targets) }
    ensemble = TreeRegression(
      forest: forest, targets: targets, bases: bases,
      aggregate: try attributes.choice("aggregate_function", default: .sum),
      transform: try attributes.choice("post_transform", default: .none))
  }

  package func infer(_ inference: inout Inference) throws { try ensemble.infer(&inference, type: .float32) }

  package func plan(_ planning: inout Planning) throws -> Step { ensemble.plan(planning) }
}

/// What the regressing tree operators do, whatever form their attributes have.
struct TreeRegression: Sendable {
  let forest: Forest
  let targets: Int
  /// Added after aggregation; empty or one for each target.
  let bases: [Double]
  let aggregate: Forest.Aggregate
  let transform: PostTransform

  static func targets(_ attributes: inout AttributeReader) throws -> Int {
    let targets = try attributes.int("n_targets", default: 0)
    guard targets > 0, targets < Int(Int32.max) else {
      throw DLRTError(.invalidModel, "out of range", tensor: "n_targets", expected: "at least 1", got: "\(targets)")
    }
    return targets
  }

  func infer(_ inference: inout Inference, type: DataType) throws {
    inference.setType(0, type)
    let (rows, columns) = try inference.features()
    try inference.check(forest, columns: columns)
    inference.set(0, type, [rows, .known(targets)])
  }

  func plan(_ planning: Planning) -> Step {
    let features = Features(planning.input(0))
    let isDouble = planning.outputType(0) == .float64
    let loop = RowLoop(
      rows: features.rows, cost: forest.cost + Double(features.columns), scratch: features.columns + 2 * targets)
    return Step(kernel: "trees", workspace: loop.workspace) { io in
      let (x, y) = (io.input(0), io.output(0))
      loop.run(io) { row, scratch in
        let scores = scratch + features.columns
        features.read(row, of: x, into: scratch)
        forest.evaluate(scratch, aggregate, into: scores, targets, seen: scores + targets)
        for index in bases.indices { scores[index] += bases[index] }
        transform.apply(scores, targets)
        let start = row &* targets
        if isDouble {
          let target = y.assumingMemoryBound(to: Double.self) + start
          for index in 0..<targets { target[index] = scores[index] }
        } else {
          let target = y.assumingMemoryBound(to: Float.self) + start
          for index in 0..<targets { target[index] = Float(scores[index]) }
        }
      }
    }
  }
}

extension Inference {
  /// Checks that rows have all features that trees look at.
  func check(_ forest: Forest, columns: Dim) throws(DLRTError) {
    let least = forest.leastColumns
    guard columns.value.map({ $0 >= least }) ?? true else {
      throw DLRTError(
        .invalidModel, "trees look at features that rows do not have", tensor: name(0), expected: "at least \(least)",
        got: "\(columns)")
    }
  }
}
