import DLRTGraph

/// Sums and differences that are terms of each other and of nothing else, as far as they go, and what they add up.
struct SumTree {
  struct Term {
    var value: ValueID
    /// Whether it is taken off the whole.
    let isNegative: Bool
    fileprivate var isDropped = false
  }

  private enum Operand {
    case term(Int)
    case sum(Int)
  }

  private struct Sum {
    let id: NodeID
    let isDifference: Bool
    var operands: [Operand] = []
  }

  /// Each before those that it adds up.
  private var sums: [Sum] = []
  var terms: [Term] = []

  init(_ root: NodeID, _ matcher: Matcher) {
    sums.append(Sum(id: root, isDifference: matcher.isDifference(root)))
    var signs = [false], index = 0
    while index < sums.count {
      for case (let place, let value?) in matcher[sums[index].id].inputs.enumerated() {
        let isNegative = signs[index] != (sums[index].isDifference && place == 1)
        if matcher.useCount(value) == 1, let producer = matcher.producer(value), matcher.isSum(producer) {
          sums[index].operands.append(.sum(sums.count))
          sums.append(Sum(id: producer, isDifference: matcher.isDifference(producer)))
          signs.append(isNegative)
        } else {
          sums[index].operands.append(.term(terms.count))
          terms.append(Term(value: value, isNegative: isNegative))
        }
      }
      index += 1
    }
  }

  /// How many terms there are still.
  var count: Int { terms.count { !$0.isDropped } }

  mutating func drop(_ term: Int) { terms[term].isDropped = true }

  /// What is left of a part of the whole.
  private struct Remainder {
    let value: ValueID
    /// Whether it is the part with its sign turned.
    var isTurned = false
  }

  /// Lets the nodes add up the terms that are left, in the order in which they were.
  func rewrite(_ matcher: Matcher, _ patch: inout GraphPatch) {
    var remainders = [Remainder?](repeating: nil, count: sums.count)
    for index in sums.indices.reversed() {
      let operands = sums[index].operands.map { operand in
        switch operand {
        case .sum(let sum): remainders[sum]
        case .term(let term): terms[term].isDropped ? nil : Remainder(value: terms[term].value)
        }
      }
      switch (operands[0], operands[1]) {
      case (nil, nil): break
      case (let left?, nil): remainders[index] = left
      case (nil, let right?):
        remainders[index] = Remainder(value: right.value, isTurned: right.isTurned != sums[index].isDifference)
      case (let left?, let right?): remainders[index] = both(index, left, right, matcher, &patch)
      }
    }
    guard let output = matcher[sums[0].id].output(0), let whole = remainders[0], whole.value != output else { return }
    // A single term has taken its sign in.
    let isNegated = whole.isTurned && count > 1
    patch.replace(
      output,
      with: isNegated
        ? patch.node(OperatorName("Neg"), inputs: [whole.value], output: matcher.program.described(output))
        : whole.value)
  }

  private func both(
    _ index: Int, _ left: Remainder, _ right: Remainder, _ matcher: Matcher, _ patch: inout GraphPatch
  ) -> Remainder? {
    var node = matcher[sums[index].id]
    guard let output = node.output(0) else { return nil }
    var (first, second) = (left.value, right.value)
    var isTurned = false
    switch (left.isTurned, right.isTurned != sums[index].isDifference) {
    case (false, false): node.op = OperatorName("Add")
    case (false, true): node.op = OperatorName("Sub")
    case (true, false):
      node.op = OperatorName("Sub")
      swap(&first, &second)
    case (true, true) where index == 0:
      node.op = OperatorName("Sub")
      first = patch.node(OperatorName("Neg"), inputs: [first], output: matcher.program.described(first))
    case (true, true):
      node.op = OperatorName("Add")
      isTurned = true
    }
    if node.op != matcher[sums[index].id].op || node.inputs != [first, second] {
      node.inputs = [first, second]
      patch.update(sums[index].id, node)
    }
    return Remainder(value: output, isTurned: isTurned)
  }
}

extension Matcher {
  /// Whether a node adds two values of which a run makes both, or takes one off the other.
  func isSum(_ id: NodeID) -> Bool {
    let node = self[id]
    return (node.op == OperatorName("Add") || isDifference(id)) && node.attributes.isEmpty && node.inputs.count == 2
      && node.inputs.allSatisfy { $0 != nil && constant($0) == nil }
  }

  func isDifference(_ id: NodeID) -> Bool { self[id].op == OperatorName("Sub") }
}
