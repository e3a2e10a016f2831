import DLRTGraph

/// Decision trees in the form that all tree operators run: branches that lead to branches or leaves, and leaves that
/// vote for targets.
struct Forest: Sendable {
  enum Mode: UInt8, Sendable {
    case lessOrEqual
    case less
    case greaterOrEqual
    case greater
    case equal
    case notEqual
    case member
  }

  struct Branch: Sendable {
    var value: Double
    var feature: Int32
    /// A branch's index, or the complement of a leaf's.
    var onTrue: Int32
    var onFalse: Int32
    /// For `member`: index into `sets`.
    var set: Int32 = 0
    var mode: Mode
    var missingIsTrue: Bool
  }

  struct Leaf: Sendable {
    var first: Int32
    var count: Int32
  }

  struct Vote: Sendable {
    var target: Int32
    var weight: Double
  }

  enum Aggregate: String, CaseIterable, Sendable {
    case average = "AVERAGE"
    case sum = "SUM"
    case min = "MIN"
    case max = "MAX"

    /// The form of TreeEnsemble's integer attribute.
    init?(code: Int) {
      guard code >= 0, code < Self.allCases.count else { return nil }
      self = Self.allCases[code]
    }
  }

  var branches: [Branch] = []
  var leaves: [Leaf] = []
  var votes: [Vote] = []
  /// One for each tree; like a branch's children.
  var roots: [Int32] = []
  /// The members of the sets, one set after the other, and where each set begins and ends.
  var members: [Double] = []
  var sets: [Range<Int>] = []

  /// One more than the greatest feature index.
  var leastColumns: Int { branches.reduce(1) { Swift.max($0, Int($1.feature) + 1) } }

  static func index(_ value: Int, below limit: Int, _ what: String) throws(DLRTError) -> Int32 {
    guard value >= 0, value < limit, let index = Int32(exactly: value) else {
      throw DLRTError(.invalidModel, "out of range", tensor: what, expected: "0..<\(limit)", got: "\(value)")
    }
    return index
  }

  /// Checks that all ways lead to a leaf, so that an evaluation ends.
  func check() throws(DLRTError) {
    enum Mark { case new, open, done }
    var marks = [Mark](repeating: .new, count: branches.count)
    for root in roots where root >= 0 {
      var stack = [Int(root)]
      while let index = stack.last {
        switch marks[index] {
        case .new:
          marks[index] = .open
          for child in [branches[index].onTrue, branches[index].onFalse] where child >= 0 {
            switch marks[Int(child)] {
            case .new: stack.append(Int(child))
            case .open: throw DLRTError(.invalidModel, "a tree's nodes form a cycle", got: "node \(child)")
            case .done: break
            }
          }
        case .open:
          marks[index] = .done
          stack.removeLast()
        case .done: stack.removeLast()
        }
      }
    }
  }
}

// MARK: Evaluation

extension Forest {
  /// Doubles of scratch memory that `evaluate` needs beside features and scores.
  static func scratch(targets: Int) -> Int { targets }

  /// Rough nanoseconds of one row.
  var cost: Double { Double(roots.count) * 20 }

  /// Aggregates the votes of the leaves that a row leads to.
  ///
  /// - Parameters:
  ///   - scores: one for each target; 0 for targets that nobody voted for.
  ///   - seen: as many doubles of scratch memory.
  @inline(__always)
  func evaluate(
    _ row: UnsafePointer<Double>, _ aggregate: Aggregate, into scores: UnsafeMutablePointer<Double>, _ targets: Int,
    seen: UnsafeMutablePointer<Double>
  ) {
    for index in 0..<targets { (scores[index], seen[index]) = (0, 0) }
    branches.withUnsafeBufferPointer { branches in
      votes.withUnsafeBufferPointer { votes in
        for root in roots {
          let leaf = leaves[~follow(branches, root, row)]
          for index in Int(leaf.first)..<Int(leaf.first &+ leaf.count) {
            let target = Int(votes[index].target)
            let weight = votes[index].weight
            switch aggregate {
            case .sum, .average: scores[target] += weight
            case .min: scores[target] = seen[target] == 0 ? weight : Swift.min(scores[target], weight)
            case .max: scores[target] = seen[target] == 0 ? weight : Swift.max(scores[target], weight)
            }
            seen[target] = 1
          }
        }
      }
    }
    if aggregate == .average {
      for index in 0..<targets { scores[index] /= Double(roots.count) }
    }
  }

  @inline(__always)
  private func follow(
    _ branches: UnsafeBufferPointer<Branch>, _ root: Int32, _ row: UnsafePointer<Double>
  ) -> Int {
    var index = Int(root)
    while index >= 0 {
      let branch = branches[index]
      let x = row[Int(branch.feature)]
      let holds =
        switch branch.mode {
        case .lessOrEqual: x <= branch.value
        case .less: x < branch.value
        case .greaterOrEqual: x >= branch.value
        case .greater: x > branch.value
        case .equal: x == branch.value
        case .notEqual: x != branch.value
        case .member: isMember(x, of: Int(branch.set))
        }
      index = Int(holds || branch.missingIsTrue && x.isNaN ? branch.onTrue : branch.onFalse)
    }
    return index
  }

  private func isMember(_ value: Double, of set: Int) -> Bool {
    members.withUnsafeBufferPointer { members in
      for index in sets[set] where members[index] == value { return true }
      return false
    }
  }
}
