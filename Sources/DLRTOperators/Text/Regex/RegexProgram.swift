import DLRTGraph

/// A regular expression as instructions for a machine that follows all its possibilities at once: the time of a match grows
/// with the length of the text times that of the program, whatever the expression.
struct RegexProgram: Sendable {
  enum Instruction: Sendable {
    /// Goes on if the next character is in the class.
    case consume(Int)
    /// Goes on at both places.
    case fork(Int, Int)
    case jump(Int)
    case check(RegexAssertion)
    case match
  }

  private(set) var code: [Instruction] = []
  private(set) var classes: [CharacterClass] = []

  static let mostInstructions = 50_000

  /// - Parameter attribute: whose value the pattern is.
  init(_ pattern: String, of attribute: String) throws(DLRTError) {
    do {
      try emit(try RegexParser.parse(pattern))
      try append(.match)
    } catch {
      var error = error
      error.tensor = attribute
      throw error
    }
  }

  static func tooLarge(of attribute: String? = nil) -> DLRTError {
    DLRTError(
      .limitExceeded, "regular expression: too large", tensor: attribute, expected: "at most \(mostInstructions) steps")
  }

  private mutating func append(_ instruction: Instruction) throws(DLRTError) {
    guard code.count < Self.mostInstructions else { throw Self.tooLarge() }
    code.append(instruction)
  }

  private mutating func emit(_ node: RegexNode) throws(DLRTError) {
    switch node {
    case .empty: return
    case .set(let set):
      classes.append(set)
      try append(.consume(classes.count - 1))
    case .assertion(let assertion): try append(.check(assertion))
    case .sequence(let nodes):
      for node in nodes { try emit(node) }
    case .alternatives(let branches):
      var ends: [Int] = []
      for branch in branches.dropLast() {
        let fork = code.count
        try append(.match)
        try emit(branch)
        ends.append(code.count)
        try append(.match)
        code[fork] = .fork(fork + 1, code.count)
      }
      if let last = branches.last { try emit(last) }
      for end in ends { code[end] = .jump(code.count) }
    case .repetition(let body, let least, let most): try emitRepetition(body, least, most)
    }
  }

  private mutating func emitRepetition(_ body: RegexNode, _ least: Int, _ most: Int?) throws(DLRTError) {
    for _ in 0..<least {
      let start = code.count
      try emit(body)
      // Nothing stays nothing, however often: such repetitions within each other would take for ever.
      if code.count == start { break }
    }
    guard let most else {
      let fork = code.count
      try append(.match)
      try emit(body)
      try append(.jump(fork))
      code[fork] = .fork(fork + 1, code.count)
      return
    }
    var forks: [Int] = []
    for _ in least..<most {
      forks.append(code.count)
      try append(.match)
      try emit(body)
    }
    for fork in forks { code[fork] = .fork(fork + 1, code.count) }
  }
}
