import DLRTGraph

/// com.microsoft Tokenizer (1): the tokens of every string of `[C]` or `[N, C]`, along a new last axis whose rows are
/// filled up with `pad_value`. Tokens are what lies between matches of `separators`, one expression after the other; or
/// what matches `tokenexp`; or single characters, for one empty separator or the expression `.`. Expressions have RE2's
/// syntax, and of the matches at the first place the longest counts. Tokens of less than `mincharnum` characters go.
/// With `mark`, rows are put between U+0002 and U+0003.
///
/// Where no string has any token, the last axis has size 0, marks or not. Inputs without strings keep their axes and get
/// one of size 0 as well.
package struct Tokenizer: Operator {
  package static let schema = OperatorSchema.microsoft("Tokenizer", [("X", "T")], [("Y", "T")], ["T": .string])

  private enum Kind {
    case characters
    case between([RegexProgram])
    case matches(RegexProgram)
  }

  private let kind: Kind
  private let leastCharacters: Int
  private let padding: String
  private let hasMarks: Bool

  package init(_ attributes: inout AttributeReader) throws {
    hasMarks = try attributes.int("mark") != 0
    guard let padding = try attributes.optionalString("pad_value") else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "pad_value")
    }
    self.padding = padding
    leastCharacters = try attributes.int("mincharnum")
    guard leastCharacters >= 1 else {
      throw DLRTError(
        .invalidModel, "attribute is out of range", tensor: "mincharnum", expected: "1 or more",
        got: "\(leastCharacters)")
    }
    let separators = try attributes.optionalStrings("separators") ?? []
    let expression = try attributes.optionalString("tokenexp") ?? ""
    guard separators.isEmpty != expression.isEmpty else {
      throw DLRTError(
        .invalidModel, "exactly one of separators and tokenexp is needed", tensor: "separators",
        got: expression.isEmpty ? "none" : "both")
    }
    if separators == [""] || expression == "." {
      guard leastCharacters == 1 else {
        throw DLRTError(
          .invalidModel, "tokens are single characters", tensor: "mincharnum", expected: "1", got: "\(leastCharacters)")
      }
      kind = .characters
    } else if separators.isEmpty {
      kind = .matches(try RegexProgram(expression, of: "tokenexp"))
    } else {
      kind = .between(try Self.programs(separators))
    }
  }

  /// Together they may be as large as one expression may be.
  private static func programs(_ separators: [String]) throws -> [RegexProgram] {
    var size = 0
    return try separators.map { separator in
      let program = try RegexProgram(separator, of: "separators")
      size += program.code.count
      guard size <= RegexProgram.mostInstructions else { throw RegexProgram.tooLarge(of: "separators") }
      return program
    }
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setDataDependent(0, .tensor(.string))
    let shape = try inference.shape(0)
    guard shape.rank == 1 || shape.rank == 2 else {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(0), expected: "[C] or [N, C]", got: "\(shape)")
    }
    inference.setDataDependent(0, .tensor(.string), Shape(shape.dims + [.unknown]))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let total = planning.input(0).count
    return Step(kernel: "tokens", workspace: workspace) { io in
      var rows = TokenRows(io.input(0, as: StringRef.self), total)
      if let wrong = rows.texts.firstIndex(where: { !$0.bytes.isUTF8 }) {
        throw DLRTError(.invalidInput, "a string is not UTF-8", tensor: "X", got: "string \(wrong)")
      }
      try cut(&rows, io)
      let most = rows.counts.max() ?? 0
      let width = most == 0 ? 0 : most + (hasMarks ? 2 : 0)
      let target = try io.allocate(output: 0, shape + [width]).assumingMemoryBound(to: StringRef.self)
      guard width > 0 else { return }
      let pad = try io.host.strings.intern(padding.utf8)
      let marks = hasMarks ? (try io.host.strings.intern([2]), try io.host.strings.intern([3])) : nil
      rows.write(to: target, width: width, pad: pad, marks: marks)
    }
  }
}

// MARK: Cutting

extension Tokenizer {
  private var workspace: Int {
    switch kind {
    case .characters: 0
    case .between(let programs): programs.map(RegexMatcher.workspace).max() ?? 0
    case .matches(let program): RegexMatcher.workspace(program)
    }
  }

  private func cut(_ rows: inout TokenRows, _ io: borrowing StepIO) throws {
    switch kind {
    case .characters:
      try rows.cut { text, add in
        var start = 0
        while start < text.count {
          let end = text.endOfCharacter(at: start)
          add(start..<end)
          start = end
        }
      }
    case .between(let programs):
      for program in programs {
        var matcher = RegexMatcher(program, workspace: io.workspace)
        try rows.cut { text, add in
          var start = 0
          while start < text.count, let match = matcher.first(in: text, from: start) {
            try io.checkCancelled()
            if text.hasCharacters(leastCharacters, in: start..<match.lowerBound) { add(start..<match.lowerBound) }
            // As in ONNX Runtime, a character goes with a separator that is empty.
            start = match.isEmpty ? text.endOfCharacter(at: match.lowerBound) : match.upperBound
          }
          if start < text.count, text.hasCharacters(leastCharacters, in: start..<text.count) { add(start..<text.count) }
        }
      }
    case .matches(let program):
      var matcher = RegexMatcher(program, workspace: io.workspace)
      try rows.cut { text, add in
        var start = 0
        while start < text.count, let match = matcher.first(in: text, from: start) {
          try io.checkCancelled()
          if text.hasCharacters(leastCharacters, in: match) {
            add(match)
            start = match.upperBound
          } else {
            start = text.endOfCharacter(at: match.lowerBound)
          }
        }
      }
    }
  }
}

/// The texts of all rows, one row after the other, and how many each row has.
private struct TokenRows {
  var texts: [StringRef]
  var counts: [Int]

  /// Rows of one text each.
  init(_ strings: UnsafePointer<StringRef>, _ count: Int) {
    texts = Array(UnsafeBufferPointer(start: strings, count: count))
    counts = [Int](repeating: 1, count: count)
  }

  /// Puts parts of the texts in their place; parts point into the texts themselves.
  ///
  /// - Parameter body: is given a text, and what adds a part of it.
  mutating func cut(_ body: (UnsafeBufferPointer<UInt8>, (Range<Int>) -> Void) throws -> Void) throws {
    var parts: [StringRef] = []
    var next = 0
    for row in counts.indices {
      let before = parts.count
      for text in texts[next..<next + counts[row]] {
        try body(text.bytes) { range in
          parts.append(StringRef(start: text.start.map { $0 + range.lowerBound }, count: range.count))
        }
      }
      next += counts[row]
      counts[row] = parts.count - before
    }
    texts = parts
  }

  func write(
    to target: UnsafeMutablePointer<StringRef>, width: Int, pad: StringRef, marks: (start: StringRef, end: StringRef)?
  ) {
    var place = 0
    func put(_ text: StringRef) {
      target[place] = text
      place += 1
    }
    var next = 0
    for (row, count) in counts.enumerated() {
      if let marks { put(marks.start) }
      for text in texts[next..<next + count] { put(text) }
      next += count
      if let marks { put(marks.end) }
      while place < (row + 1) * width { put(pad) }
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  fileprivate var isUTF8: Bool {
    var parser = UTF8.ForwardParser()
    var rest = makeIterator()
    while true {
      switch parser.parseScalar(from: &rest) {
      case .valid: continue
      case .emptyInput: return true
      case .error: return false
      }
    }
  }

  /// The place behind the character at a place; behind the text's end for the end itself.
  fileprivate func endOfCharacter(at start: Int) -> Int {
    var end = start + 1
    while end < count, self[end] & 0xc0 == 0x80 { end += 1 }
    return end
  }

  fileprivate func hasCharacters(_ least: Int, in range: Range<Int>) -> Bool {
    range.count >= least && self[range].count(where: { $0 & 0xc0 != 0x80 }) >= least
  }
}
