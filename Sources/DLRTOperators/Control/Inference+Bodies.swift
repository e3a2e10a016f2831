import DLRTGraph

/// Inference of operators whose outputs come out of a body.
extension Inference {
  /// States an output by a body's fact: planned where its size is known, otherwise left to the run.
  mutating func setResult(_ index: Int, _ fact: Fact) {
    guard fact.type.dataType != nil, fact.shape?.sizes != nil else {
      setDataDependent(index, fact.type, fact.shape)
      return
    }
    set(index, Fact(fact.type, fact.shape, elements: fact.elements))
  }

  /// What a body hands from one iteration to the next: the facts that hold before and after every iteration.
  ///
  /// Shapes begin as those of the initial values and are loosened until the body keeps them.
  ///
  /// - Parameter body: gives the body's outputs for iterated values, which come back as its first outputs.
  /// - Returns: the facts of all of the body's outputs; those of iterated values hold without an iteration too.
  func stable(_ initial: [Fact], _ body: ([Fact]) throws -> [Fact]) throws -> [Fact] {
    var facts = initial.map { Fact($0.type, $0.shape) }
    while true {
      var outputs = try body(facts)
      guard outputs.count >= facts.count else {
        throw DLRTError(
          .invalidModel, "a body has too few outputs", expected: "at least \(facts.count)", got: "\(outputs.count)")
      }
      var isStable = true
      for index in facts.indices {
        if let before = facts[index].type.dataType, let after = outputs[index].type.dataType, before != after {
          throw DLRTError(
            .invalidModel, "a value changes its type in an iteration", expected: before.name, got: after.name)
        }
        let shape = Self.common(facts[index].shape, outputs[index].shape)
        if shape != facts[index].shape { isStable = false }
        facts[index].shape = shape
        outputs[index] = Fact(outputs[index].type, shape)
      }
      if isStable { return outputs }
    }
  }

  /// What two shapes have in common.
  static func common(_ a: Shape?, _ b: Shape?) -> Shape? {
    guard let a, let b, a.rank == b.rank else { return nil }
    return Shape(zip(a.dims, b.dims).map { $0.provablyEquals($1) ? $0 : .unknown })
  }

  /// The facts of inputs from an index on; all must be present.
  func facts(from index: Int) throws -> [Fact] {
    try (index..<max(index, inputCount)).map { try fact($0) }
  }

  /// Checks that an input holds one element.
  func checkSingle(_ index: Int) throws {
    guard let count = try fact(index).shape?.elementCount.value, count != 1 else { return }
    throw DLRTError(
      .invalidModel, "not a single element", tensor: name(index), expected: "1 element", got: "\(count)")
  }
}

extension Fact {
  /// Type and shape of a value.
  init(of value: Value) { self.init(value.type, value.tensor.map { Shape($0.shape) }) }
}

extension DLRTError {
  static func bodyArity(_ what: String, expected: Int, got: Int) -> DLRTError {
    DLRTError(
      .invalidModel, "a body has the wrong number of \(what)", expected: "\(expected)", got: "\(got)")
  }
}

extension StepIO {
  /// Inputs from an index on as values.
  func values(_ range: Range<Int>) throws -> [Value] { try range.map { try value($0) } }

  /// Gives out a value that may share the run's memory.
  func setCopied(_ output: Int, _ value: Value) throws {
    try setValue(output, value.tensor.map { .tensor(try $0.copied()) } ?? value)
  }
}

extension Value {
  /// The only element of a tensor of one bool.
  func condition() throws(DLRTError) -> Bool {
    guard let tensor, tensor.type == .bool, tensor.count == 1 else {
      throw DLRTError(.invalidInput, "a body's condition is not a single bool", got: "\(type)")
    }
    return tensor.pointer.load(as: UInt8.self) != 0
  }

  /// Bytes of all tensors in it.
  var byteCount: Int {
    switch self {
    case .tensor(let tensor): tensor.byteCount
    case .sequence(let elements, _): elements.reduce(0) { $0 &+ $1.byteCount }
    case .optional(let content, _): content?.byteCount ?? 0
    case .map(let keys, let values, _): values.reduce(keys.byteCount) { $0 &+ $1.byteCount }
    }
  }
}
