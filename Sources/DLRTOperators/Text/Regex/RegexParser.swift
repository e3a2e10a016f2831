import DLRTGraph

/// Reads the syntax of RE2: everything but back references and look-around, which no linear-time matcher has. Classes
/// of Unicode scripts (`\p{Greek}`) and single bytes (`\C`) are refused.
struct RegexParser {
  private struct Flags {
    var ignoresCase = false
    var isMultiline = false
    var dotMatchesNewline = false
  }

  private let pattern: [UInt32]
  private let text: String
  private var index = 0
  private var flags = Flags()
  private var depth = 0

  private static let deepest = 200
  private static let mostRepeats = 1000

  static let digit: [ClosedRange<UInt32>] = [0x30...0x39]
  static let space: [ClosedRange<UInt32>] = [0x09...0x0a, 0x0c...0x0d, 0x20...0x20]
  static let word: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a]

  private init(_ pattern: String) {
    text = pattern
    self.pattern = pattern.unicodeScalars.map(\.value)
  }

  static func parse(_ pattern: String) throws(DLRTError) -> RegexNode {
    var parser = RegexParser(pattern)
    let node = try parser.alternatives()
    guard parser.peek == nil else { throw parser.wrong("a parenthesis closes nothing") }
    return node
  }
}

// MARK: Reading

extension RegexParser {
  private var peek: UInt32? { index < pattern.count ? pattern[index] : nil }

  private mutating func accept(_ text: StaticString) -> Bool {
    let wanted = text.description.unicodeScalars.map(\.value)
    guard pattern[index...].starts(with: wanted) else { return false }
    index += wanted.count
    return true
  }

  private mutating func next() throws(DLRTError) -> UInt32 {
    guard let scalar = peek else { throw wrong("ends too early") }
    index += 1
    return scalar
  }

  private func wrong(_ message: String) -> DLRTError {
    DLRTError(.invalidModel, "regular expression: \(message) (at character \(index))", got: "'\(text)'")
  }
}

// MARK: Structure

extension RegexParser {
  private mutating func alternatives() throws(DLRTError) -> RegexNode {
    var branches = [try sequence()]
    while accept("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .alternatives(branches)
  }

  private mutating func sequence() throws(DLRTError) -> RegexNode {
    var nodes: [RegexNode] = []
    while let scalar = peek, scalar != Unicode.Scalar("|").value, scalar != Unicode.Scalar(")").value {
      if accept(#"\Q"#) {
        try quotation(into: &nodes)
        continue
      }
      guard let node = try atom() else { continue }
      nodes.append(try repeated(node))
    }
    return nodes.count == 1 ? nodes[0] : nodes.isEmpty ? .empty : .sequence(nodes)
  }

  /// Characters that stand for themselves; a repetition behind them means the last one.
  private mutating func quotation(into nodes: inout [RegexNode]) throws(DLRTError) {
    let first = nodes.count
    while peek != nil, !accept(#"\E"#) { nodes.append(literal(try next())) }
    if nodes.count > first { nodes.append(try repeated(nodes.removeLast())) }
  }

  private func literal(_ scalar: UInt32) -> RegexNode {
    .set(CharacterClass(scalar, ignoresCase: flags.ignoresCase))
  }

  /// One element; nil for flags, which stand for nothing.
  private mutating func atom() throws(DLRTError) -> RegexNode? {
    let scalar = try next()
    switch Unicode.Scalar(scalar) {
    case "(": return try group()
    case "[": return .set(try bracket())
    case ".": return .set(flags.dotMatchesNewline ? .any : .anyButNewline)
    case "^": return .assertion(flags.isMultiline ? .lineStart : .textStart)
    case "$": return .assertion(flags.isMultiline ? .lineEnd : .textEnd)
    case "\\": return try escape()
    case "*", "+", "?": throw wrong("nothing to repeat")
    default: return literal(scalar)
    }
  }

  private mutating func group() throws(DLRTError) -> RegexNode? {
    let outer = flags
    if accept("?") {
      if accept("P<") || accept("<") {
        guard peek != Unicode.Scalar("=").value, peek != Unicode.Scalar("!").value else {
          throw wrong("no look-behind in linear time")
        }
        while try next() != Unicode.Scalar(">").value {}
      } else if try readFlags() {
        // Flags without a group hold until the group around them ends.
        return nil
      }
    }
    depth += 1
    guard depth <= Self.deepest else { throw wrong("groups nest too deeply") }
    let node = try alternatives()
    guard accept(")") else { throw wrong("a parenthesis is not closed") }
    depth -= 1
    flags = outer
    return node
  }

  /// Reads `flags)` or `flags:`; true for the former.
  private mutating func readFlags() throws(DLRTError) -> Bool {
    var isOn = true
    while true {
      switch Unicode.Scalar(try next()) {
      case "i": flags.ignoresCase = isOn
      case "m": flags.isMultiline = isOn
      case "s": flags.dotMatchesNewline = isOn
      case "U": break
      case "-" where isOn: isOn = false
      case ":": return false
      case ")": return true
      default: throw wrong("no such kind of group")
      }
    }
  }

  private mutating func repeated(_ node: RegexNode) throws(DLRTError) -> RegexNode {
    guard let (least, most) = try quantifier() else { return node }
    _ = accept("?")
    let second = index
    if try quantifier() != nil {
      index = second
      throw wrong("two repetitions of one thing")
    }
    return .repetition(node, least: least, most: most)
  }

  private mutating func quantifier() throws(DLRTError) -> (Int, Int?)? {
    if accept("*") { return (0, nil) }
    if accept("+") { return (1, nil) }
    if accept("?") { return (0, 1) }
    let start = index
    guard accept("{"), let least = number() else {
      index = start
      return nil
    }
    var most: Int? = least
    if accept(",") { most = number() }
    guard accept("}") else {
      // A brace that counts nothing stands for itself.
      index = start
      return nil
    }
    guard least <= Self.mostRepeats, most.map({ $0 <= Self.mostRepeats && $0 >= least }) ?? true else {
      throw wrong("repetitions out of range")
    }
    return (least, most)
  }

  private mutating func number() -> Int? {
    let start = index
    var value = 0
    while let scalar = peek, Self.digit[0].contains(scalar) {
      value = min(value * 10 + Int(scalar - 0x30), Self.mostRepeats + 1)
      index += 1
    }
    return index > start ? value : nil
  }
}

// MARK: Characters

extension RegexParser {
  private mutating func escape() throws(DLRTError) -> RegexNode {
    switch peek.flatMap(Unicode.Scalar.init) {
    case "A":
      index += 1
      return .assertion(.textStart)
    case "z":
      index += 1
      return .assertion(.textEnd)
    case "b":
      index += 1
      return .assertion(.wordBoundary)
    case "B":
      index += 1
      return .assertion(.noWordBoundary)
    default: break
    }
    var set = CharacterClass()
    if try addNamedClass(to: &set) {
      set.ignoresCase = flags.ignoresCase
      set.seal()
      return .set(set)
    }
    return literal(try escapedCharacter())
  }

  /// Reads what follows a backslash if that is a class such as `\d` or `\pL`.
  private mutating func addNamedClass(to set: inout CharacterClass) throws(DLRTError) -> Bool {
    switch peek.flatMap(Unicode.Scalar.init) {
    case "d": set.add(ranges: Self.digit, isNegated: false)
    case "D": set.add(ranges: Self.digit, isNegated: true)
    case "s": set.add(ranges: Self.space, isNegated: false)
    case "S": set.add(ranges: Self.space, isNegated: true)
    case "w": set.add(ranges: Self.word, isNegated: false)
    case "W": set.add(ranges: Self.word, isNegated: true)
    case "p", "P":
      var isNegated = try next() == Unicode.Scalar("P").value
      var name = ""
      if accept("{") {
        if accept("^") { isNegated.toggle() }
        while let scalar = peek, !accept("}") {
          name.unicodeScalars.append(Unicode.Scalar(scalar) ?? "?")
          index += 1
        }
      } else {
        name.unicodeScalars.append(Unicode.Scalar(try next()) ?? "?")
      }
      guard let bits = Unicode.GeneralCategory.bits(named: name) else {
        throw DLRTError(
          .unsupportedModel, "regular expression: no such class of characters",
          expected: "a general category of Unicode", got: "'\(name)'")
      }
      set.add(categories: bits, isNegated: isNegated)
      return true
    default: return false
    }
    index += 1
    return true
  }

  /// Reads what follows a backslash and stands for one character.
  private mutating func escapedCharacter() throws(DLRTError) -> UInt32 {
    let scalar = try next()
    switch Unicode.Scalar(scalar) {
    case "a": return 0x07
    case "f": return 0x0c
    case "t": return 0x09
    case "n": return 0x0a
    case "r": return 0x0d
    case "v": return 0x0b
    case "x": return try hexadecimal()
    case let digit? where (0x30...0x37).contains(digit.value):
      let isOctal = scalar == 0x30 || peek.map { (0x30...0x37).contains($0) } ?? false
      guard isOctal else { throw wrong("no back references in linear time") }
      var value = scalar - 0x30
      for _ in 0..<2 {
        guard let digit = peek, (0x30...0x37).contains(digit) else { break }
        value = value * 8 + digit - 0x30
        index += 1
      }
      return value
    default:
      let isLetterOrDigit = Self.word.contains { $0.contains(scalar) } && scalar != Unicode.Scalar("_").value
      guard scalar < 128, !isLetterOrDigit else { throw wrong("no such escape") }
      return scalar
    }
  }

  private mutating func hexadecimal() throws(DLRTError) -> UInt32 {
    func digit(_ scalar: UInt32) -> UInt32? {
      Unicode.Scalar(scalar).flatMap { Character($0).hexDigitValue }.map(UInt32.init)
    }
    var value: UInt32 = 0
    if accept("{") {
      while !accept("}") {
        guard let next = digit(try next()), value <= CharacterClass.lastScalar else { throw wrong("not a character") }
        value = value * 16 + next
      }
    } else {
      for _ in 0..<2 {
        guard let next = digit(try next()) else { throw wrong("not a character") }
        value = value * 16 + next
      }
    }
    guard value <= CharacterClass.lastScalar else { throw wrong("not a character") }
    return value
  }
}

// MARK: Classes in brackets

extension RegexParser {
  private static let posixClasses: [(String, [ClosedRange<UInt32>])] = [
    ("alnum", [0x30...0x39, 0x41...0x5a, 0x61...0x7a]), ("alpha", [0x41...0x5a, 0x61...0x7a]), ("ascii", [0...0x7f]),
    ("blank", [0x09...0x09, 0x20...0x20]), ("cntrl", [0...0x1f, 0x7f...0x7f]), ("digit", digit),
    ("graph", [0x21...0x7e]), ("lower", [0x61...0x7a]), ("print", [0x20...0x7e]),
    ("punct", [0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e]), ("space", [0x09...0x0d, 0x20...0x20]),
    ("upper", [0x41...0x5a]), ("word", word), ("xdigit", [0x30...0x39, 0x41...0x46, 0x61...0x66]),
  ]

  private mutating func bracket() throws(DLRTError) -> CharacterClass {
    var set = CharacterClass()
    set.ignoresCase = flags.ignoresCase
    set.isNegated = accept("^")
    var isFirst = true
    while isFirst || !accept("]") {
      // A closing bracket in the first place stands for itself.
      isFirst = false
      if try addPosixClass(to: &set) { continue }
      if accept(#"\"#) {
        if try addNamedClass(to: &set) { continue }
        index -= 1
      }
      let first = try classCharacter()
      var last = first
      let dash = index
      if accept("-") {
        if peek == Unicode.Scalar("]").value {
          index = dash
        } else {
          last = try classCharacter()
        }
      }
      guard first <= last else { throw wrong("a range runs backwards") }
      set.add(first...last)
    }
    set.seal()
    return set
  }

  private mutating func classCharacter() throws(DLRTError) -> UInt32 {
    accept(#"\"#) ? try escapedCharacter() : try next()
  }

  private mutating func addPosixClass(to set: inout CharacterClass) throws(DLRTError) -> Bool {
    let start = index
    guard accept("[:") else { return false }
    let isNegated = accept("^")
    for (name, ranges) in Self.posixClasses {
      let end = name.unicodeScalars.map(\.value) + [0x3a, 0x5d]
      guard pattern[index...].starts(with: end) else { continue }
      index += end.count
      set.add(ranges: ranges, isNegated: isNegated)
      return true
    }
    index = start
    return false
  }
}
