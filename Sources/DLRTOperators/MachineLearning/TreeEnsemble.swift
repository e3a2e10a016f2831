import DLRTGraph

/// ai.onnx.ml TreeEnsemble (5): the aggregated votes of decision trees, transformed.
///
/// `X`: `[N, C]` or `[C]`; `Y`: `[N, n_targets]`; both of float, double or float16.
package struct TreeEnsemble: Operator {
  package static let schema = OperatorSchema(
    "TreeEnsemble", domain: OperatorName.machineLearningDomain, versions: [5], inputs: [("X", "T")],
    outputs: [("Y", "T")], types: ["T": .ieeeFloats])

  package static let promotedTypes = TypeSet(.float16)

  private let ensemble: TreeRegression

  package init(_ attributes: inout AttributeReader) throws {
    let targets = try TreeRegression.targets(&attributes)
    let aggregate = try attributes.int("aggregate_function", default: 1)
    let transform = try attributes.int("post_transform", default: 0)
    guard let aggregation = Forest.Aggregate(code: aggregate) else {
      throw DLRTError(.invalidModel, "attribute has no such value", tensor: "aggregate_function", got: "\(aggregate)")
    }
    guard let transformation = PostTransform(code: transform) else {
      throw DLRTError(.invalidModel, "attribute has no such value", tensor: "post_transform", got: "\(transform)")
    }
    ensemble = TreeRegression(
      forest: try Forest(branchesAndLeaves: &attributes, targets: targets), targets: targets, bases: [],
      aggregate: aggregation, transform: transformation)
  }

  package func infer(_ inference: inout Inference) throws {
    try ensemble.infer(&inference, type: try inference.type(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step { ensemble.plan(planning) }
}

extension Forest {
  /// Reads the form of TreeEnsemble: branches, leaves and roots in tables of their own, linked by index.
  fileprivate init(branchesAndLeaves attributes: inout AttributeReader, targets: Int) throws {
    // Statistics of the training data.
    attributes.ignore("nodes_hitrates")
    let features = try attributes.ints("nodes_featureids")
    let modes = try attributes.tensor("nodes_modes").integers ?? []
    let splits = try attributes.tensor("nodes_splits").doubles("nodes_splits")
    let trueIDs = try attributes.ints("nodes_truenodeids")
    let falseIDs = try attributes.ints("nodes_falsenodeids")
    let trueLeaves = try attributes.ints("nodes_trueleafs")
    let falseLeaves = try attributes.ints("nodes_falseleafs")
    let missing = try attributes.optionalInts("nodes_missing_value_tracks_true") ?? []
    let leafTargets = try attributes.ints("leaf_targetids")
    let weights = try attributes.tensor("leaf_weights").doubles("leaf_weights")
    let members = try attributes.optionalTensor("membership_values")?.doubles("membership_values") ?? []
    let count = features.count
    for (name, got) in [
      ("nodes_modes", modes.count), ("nodes_splits", splits.count), ("nodes_truenodeids", trueIDs.count),
      ("nodes_falsenodeids", falseIDs.count), ("nodes_trueleafs", trueLeaves.count),
      ("nodes_falseleafs", falseLeaves.count),
    ] { try Self.require(name, got, count) }
    if !missing.isEmpty { try Self.require("nodes_missing_value_tracks_true", missing.count, count) }
    try Self.require("leaf_weights", weights.count, leafTargets.count)

    self.init()
    for (index, target) in leafTargets.enumerated() {
      leaves.append(Leaf(first: try Self.index(index, below: Int(Int32.max), "leaf_targetids"), count: 1))
      votes.append(Vote(target: try Self.index(target, below: targets, "leaf_targetids"), weight: weights[index]))
    }
    func child(_ id: Int, isLeaf: Bool, _ what: String) throws(DLRTError) -> Int32 {
      isLeaf ? ~(try Self.index(id, below: leafTargets.count, what)) : try Self.index(id, below: count, what)
    }
    for index in 0..<count {
      guard let code = UInt8(exactly: modes[index]), let mode = Mode(rawValue: code) else {
        throw DLRTError(.invalidModel, "attribute has no such value", tensor: "nodes_modes", got: "\(modes[index])")
      }
      branches.append(
        Branch(
          value: splits[index], feature: try Self.index(features[index], below: Int(Int32.max), "nodes_featureids"),
          onTrue: try child(trueIDs[index], isLeaf: trueLeaves[index] != 0, "nodes_truenodeids"),
          onFalse: try child(falseIDs[index], isLeaf: falseLeaves[index] != 0, "nodes_falsenodeids"),
          mode: mode, missingIsTrue: !missing.isEmpty && missing[index] != 0))
    }
    for root in try attributes.ints("tree_roots") { roots.append(try Self.index(root, below: count, "tree_roots")) }
    try takeSets(members)
    try check()
  }

  /// Gives the sets, which NaNs separate, to the branches that ask for membership, in their order.
  private mutating func takeSets(_ values: [Double]) throws(DLRTError) {
    members = values
    var start = 0
    for index in branches.indices where branches[index].mode == .member {
      guard start < values.count else {
        throw DLRTError(
          .invalidModel, "fewer sets than branches that ask for membership", tensor: "membership_values",
          got: "\(sets.count)")
      }
      let end = values[start...].firstIndex { $0.isNaN } ?? values.count
      branches[index].set = Int32(sets.count)
      sets.append(start..<end)
      start = end + 1
    }
  }
}
