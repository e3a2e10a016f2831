/// One dimension of a shape: a number, an expression over the model's symbols, or nothing known.
///
/// Arithmetic keeps what it can: `N * 12` and `T + 1` stay readable; what cannot be said becomes `unknown`.
/// A result that overflows becomes `unknown` too, so that sizes from outside never trap.
public enum Dim: Sendable, Hashable {
  case known(Int)
  case symbol(String)
  case unknown
}

extension Dim: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: Int) { self = .known(value) }
}

extension Dim {
  public var value: Int? {
    if case .known(let value) = self { return value }
    return nil
  }

  /// How symbols begin that stand for a size of which nothing is known; no name of a model's.
  package static let anonymousPrefix = "?"

  /// True for a size, or an expression over sizes, that the model itself names.
  package var isNamed: Bool {
    switch self {
    case .known: true
    case .symbol(let text): !text.contains { $0 == "?" }
    case .unknown: false
    }
  }

  /// True when both are surely the same size.
  package func provablyEquals(_ other: Dim) -> Bool {
    if case .unknown = self { return false }
    return self == other
  }

  /// True when both are surely of different size.
  package func provablyDiffers(_ other: Dim) -> Bool {
    guard let a = value, let b = other.value else { return false }
    return a != b
  }

  private static let longestExpression = 48

  private static func expression(_ a: Dim, _ sign: String, _ b: Dim) -> Dim {
    guard let left = a.term, let right = b.term else { return .unknown }
    let text = "\(left) \(sign) \(right)"
    return text.utf8.count > longestExpression ? .unknown : .symbol(text)
  }

  private var term: String? {
    switch self {
    case .known(let value): return String(value)
    // What could be read as something else stands in brackets.
    case .symbol(let text):
      return Int(text) != nil || text.utf8.contains { " ()".utf8.contains($0) } ? "(\(text))" : text
    case .unknown: return nil
    }
  }

  private static func checked(_ result: (partialValue: Int, overflow: Bool)) -> Dim {
    result.overflow ? .unknown : .known(result.partialValue)
  }

  public static func + (a: Dim, b: Dim) -> Dim {
    switch (a, b) {
    case (.known(let x), .known(let y)): checked(x.addingReportingOverflow(y))
    case (_, .known(0)): a
    case (.known(0), _): b
    default: expression(a, "+", b)
    }
  }

  public static func - (a: Dim, b: Dim) -> Dim {
    switch (a, b) {
    case (.known(let x), .known(let y)): checked(x.subtractingReportingOverflow(y))
    case (_, .known(0)): a
    default: a.provablyEquals(b) ? .known(0) : expression(a, "-", b)
    }
  }

  public static func * (a: Dim, b: Dim) -> Dim {
    switch (a, b) {
    case (.known(let x), .known(let y)): checked(x.multipliedReportingOverflow(by: y))
    case (_, .known(1)): a
    case (.known(1), _): b
    case (_, .known(0)), (.known(0), _): .known(0)
    default: expression(a, "*", b)
    }
  }

  /// Floor division; by zero it is unknown. Factors that both have vanish, also those that may be zero in a run.
  public static func / (a: Dim, b: Dim) -> Dim {
    switch (a, b) {
    case (_, .known(0)): return .unknown
    case (.known(let x), .known(let y)):
      let (quotient, overflow) = x.dividedReportingOverflow(by: y)
      if overflow { return .unknown }
      let (product, _) = quotient.multipliedReportingOverflow(by: y)
      return .known(product != x && (x < 0) != (y < 0) ? quotient - 1 : quotient)
    case (_, .known(1)): return a
    default: return a.divided(exactlyBy: b) ?? expression(a, "/", b)
    }
  }
}

extension Dim {
  /// How often a size goes into this one, if that is a whole number whatever the model's symbols are.
  package func divided(exactlyBy other: Dim) -> Dim? {
    if other == 0 || self == .unknown { return nil }
    if provablyEquals(other) { return 1 }
    if case (.known(let x), .known(let y)) = (self, other) { return y > 0 && x % y == 0 ? .known(x / y) : nil }
    if let (a, b) = factors {
      if let left = a.divided(exactlyBy: other) { return left * b }
      if let right = b.divided(exactlyBy: other) { return a * right }
    }
    return other.factors.flatMap { a, b in divided(exactlyBy: a)?.divided(exactlyBy: b) }
  }

  /// The two that this is the product of, as `*` writes it.
  private var factors: (Dim, Dim)? {
    guard case .symbol(let text) = self, text.utf8.count <= Self.longestExpression else { return nil }
    var depth = 0
    for index in text.indices {
      if text[index] == "(" { depth += 1 }
      if text[index] == ")" { depth -= 1 }
      guard depth == 0, text[index...].hasPrefix(" * ") else { continue }
      let after = text.index(index, offsetBy: 3)
      return Dim(term: text[..<index]).flatMap { a in Dim(term: text[after...]).map { (a, $0) } }
    }
    return nil
  }

  /// What `term` wrote; nil for what is no term.
  private init?(term: Substring) {
    if let value = Int(term) {
      self = .known(value)
      return
    }
    guard term.first == "(" else {
      if term.isEmpty || term.contains(" ") { return nil }
      self = .symbol(String(term))
      return
    }
    var depth = 0
    for index in term.indices {
      if term[index] == "(" { depth += 1 }
      if term[index] == ")" { depth -= 1 }
      if depth == 0, term.index(after: index) < term.endIndex { return nil }
    }
    guard depth == 0 else { return nil }
    self = .symbol(String(term.dropFirst().dropLast()))
  }
}

extension Dim: CustomStringConvertible {
  public var description: String {
    switch self {
    case .known(let value): String(value)
    case .symbol(let text): text
    case .unknown: "?"
    }
  }
}
