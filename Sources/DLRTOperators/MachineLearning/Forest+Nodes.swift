import DLRTGraph

extension Forest {
  /// Reads the form of TreeEnsembleClassifier and TreeEnsembleRegressor: a table of nodes named by tree and number, and
  /// a table of votes that name their leaf likewise.
  ///
  /// - Parameters:
  ///   - prefix: of the votes' attributes.
  ///   - weights, ids: the votes' other attributes.
  init(_ attributes: inout AttributeReader, prefix: String, weights: String, ids: String, targets: Int) throws {
    // Statistics of the training data.
    attributes.ignore("nodes_hitrates", "nodes_hitrates_as_tensor")
    let trees = try attributes.ints("nodes_treeids")
    let numbers = try attributes.ints("nodes_nodeids")
    let features = try attributes.ints("nodes_featureids")
    let modes = try attributes.optionalStrings("nodes_modes") ?? []
    let values = try attributes.numbers("nodes_values")
    let trueIDs = try attributes.ints("nodes_truenodeids")
    let falseIDs = try attributes.ints("nodes_falsenodeids")
    let missing = try attributes.optionalInts("nodes_missing_value_tracks_true") ?? []
    let count = trees.count
    for (name, got) in [
      ("nodes_nodeids", numbers.count), ("nodes_featureids", features.count), ("nodes_modes", modes.count),
      ("nodes_values", values.count), ("nodes_truenodeids", trueIDs.count), ("nodes_falsenodeids", falseIDs.count),
    ] { try Self.require(name, got, count) }
    if !missing.isEmpty { try Self.require("nodes_missing_value_tracks_true", missing.count, count) }

    var table = NodeTable(trees, numbers)
    try table.addVotes(&attributes, prefix: prefix, weights: weights, ids: ids, targets: targets)
    self.init()
    votes = table.votes
    /// The place of each node: a branch's index, or the complement of a leaf's.
    var places: [Int32] = []
    for (index, mode) in modes.enumerated() {
      if mode == "LEAF" {
        places.append(~Int32(truncatingIfNeeded: leaves.count))
        leaves.append(table.leaf(index))
      } else {
        places.append(Int32(truncatingIfNeeded: branches.count))
        branches.append(
          Branch(
            value: values[index], feature: try Self.index(features[index], below: Int(Int32.max), "nodes_featureids"),
            onTrue: 0, onFalse: 0, mode: try Mode(name: mode), missingIsTrue: !missing.isEmpty && missing[index] != 0))
      }
    }
    var seen: Set<Int> = []
    for index in 0..<count {
      // A tree's first node is its root.
      if seen.insert(trees[index]).inserted { roots.append(places[index]) }
      guard places[index] >= 0 else { continue }
      branches[Int(places[index])].onTrue = places[try table.find(trees[index], trueIDs[index])]
      branches[Int(places[index])].onFalse = places[try table.find(trees[index], falseIDs[index])]
    }
    try check()
  }

  static func require(_ what: String, _ got: Int, _ expected: Int) throws(DLRTError) {
    guard got == expected else {
      throw DLRTError(.invalidModel, "wrong number of elements", tensor: what, expected: "\(expected)", got: "\(got)")
    }
  }

  /// Nodes by name, and the votes sorted by the node that gives them.
  private struct NodeTable {
    private struct Key: Hashable {
      let tree: Int
      let number: Int
    }

    private var indices: [Key: Int] = [:]
    private var leaves: [Int: Leaf] = [:]
    private(set) var votes: [Vote] = []

    init(_ trees: [Int], _ numbers: [Int]) {
      for (index, (tree, number)) in zip(trees, numbers).enumerated() {
        indices[Key(tree: tree, number: number)] = index
      }
    }

    func find(_ tree: Int, _ number: Int) throws(DLRTError) -> Int {
      guard let index = indices[Key(tree: tree, number: number)] else {
        throw DLRTError(.invalidModel, "a tree has no such node", got: "node \(number) of tree \(tree)")
      }
      return index
    }

    func leaf(_ index: Int) -> Leaf { leaves[index] ?? Leaf(first: 0, count: 0) }

    mutating func addVotes(
      _ attributes: inout AttributeReader, prefix: String, weights: String, ids: String, targets: Int
    ) throws {
      let trees = try attributes.ints(prefix + "_treeids")
      let numbers = try attributes.ints(prefix + "_nodeids")
      let targetIDs = try attributes.ints(ids)
      let values = try attributes.numbers(weights)
      try Forest.require(prefix + "_nodeids", numbers.count, trees.count)
      try Forest.require(ids, targetIDs.count, trees.count)
      try Forest.require(weights, values.count, trees.count)
      guard trees.count < Int(Int32.max) else {
        throw DLRTError(.limitExceeded, "too many votes", tensor: weights, got: "\(trees.count)")
      }
      var byNode: [(node: Int, vote: Vote)] = []
      for (index, tree) in trees.enumerated() {
        let target = try Forest.index(targetIDs[index], below: targets, ids)
        byNode.append((try find(tree, numbers[index]), Vote(target: target, weight: values[index])))
      }
      // Swift's sort keeps the order of equal elements, hence the order in which a leaf's votes are added.
      byNode.sort { $0.node < $1.node }
      for (index, entry) in byNode.enumerated() {
        leaves[entry.node, default: Leaf(first: Int32(index), count: 0)].count += 1
        votes.append(entry.vote)
      }
    }
  }
}

extension Forest.Mode {
  fileprivate init(name: String) throws(DLRTError) {
    switch name {
    case "BRANCH_LEQ": self = .lessOrEqual
    case "BRANCH_LT": self = .less
    case "BRANCH_GTE": self = .greaterOrEqual
    case "BRANCH_GT": self = .greater
    case "BRANCH_EQ": self = .equal
    case "BRANCH_NEQ": self = .notEqual
    default: throw DLRTError(.invalidModel, "attribute has no such value", tensor: "nodes_modes", got: "'\(name)'")
    }
  }
}

extension AttributeReader {
  /// Numbers given as floats, or as a tensor under the name with `_as_tensor`; none where both are absent.
  mutating func numbers(_ name: String) throws -> [Double] {
    let floats = try optionalFloats(name) ?? []
    let tensor = try optionalTensor(name + "_as_tensor")
    guard let tensor, tensor.count > 0 else { return floats.map(Double.init) }
    guard floats.isEmpty else {
      throw DLRTError(.invalidModel, "an attribute is given twice", tensor: "\(name), \(name)_as_tensor")
    }
    return try tensor.doubles(name + "_as_tensor")
  }
}

extension Tensor {
  /// The elements of a tensor of floats.
  func doubles(_ what: String) throws(DLRTError) -> [Double] {
    switch type {
    case .float32: return elements(Float.self).map(Double.init)
    case .float64: return elements(Double.self)
    case .float16: return elements(Float16.self).map(Double.init)
    default:
      throw DLRTError(
        .invalidModel, "wrong element type", tensor: what, expected: "float, double or float16", got: type.name)
    }
  }
}
