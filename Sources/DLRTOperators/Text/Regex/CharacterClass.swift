/// A set of Unicode scalars, as a regular expression names it: ranges, general categories, their complement, and whether
/// case matters.
struct CharacterClass: Sendable {
  private var ranges: [ClosedRange<UInt32>] = []
  /// Bits of general categories, each entry with its complement flag.
  private var categories: [(bits: UInt32, isNegated: Bool)] = []
  var isNegated = false
  var ignoresCase = false
  /// Answers for ASCII, made once.
  private var ascii: (UInt64, UInt64) = (0, 0)

  static let lastScalar: UInt32 = 0x10_ffff

  init() {}

  init(_ scalar: UInt32, ignoresCase: Bool) {
    ranges = [scalar...scalar]
    self.ignoresCase = ignoresCase
    seal()
  }

  init(ranges: [ClosedRange<UInt32>]) {
    self.ranges = ranges
    seal()
  }

  static let any = CharacterClass(ranges: [0...lastScalar])
  static let anyButNewline = CharacterClass(ranges: [0...9, 11...lastScalar])

  mutating func add(_ range: ClosedRange<UInt32>) { ranges.append(range) }

  mutating func add(ranges added: [ClosedRange<UInt32>], isNegated: Bool) {
    guard isNegated else {
      ranges += added
      return
    }
    var next: UInt32 = 0
    for range in added.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound > next { ranges.append(next...range.lowerBound - 1) }
      next = max(next, range.upperBound + 1)
    }
    if next <= Self.lastScalar { ranges.append(next...Self.lastScalar) }
  }

  mutating func add(categories bits: UInt32, isNegated: Bool) { categories.append((bits, isNegated)) }

  /// To be called when everything has been added.
  mutating func seal() {
    for scalar in UInt32(0)..<64 where search(scalar) { ascii.0 |= 1 << UInt64(scalar) }
    for scalar in UInt32(64)..<128 where search(scalar) { ascii.1 |= 1 << UInt64(scalar - 64) }
  }

  func contains(_ scalar: UInt32) -> Bool {
    if scalar < 64 { return ascii.0 >> UInt64(scalar) & 1 != 0 }
    if scalar < 128 { return ascii.1 >> UInt64(scalar - 64) & 1 != 0 }
    return search(scalar)
  }

  private func search(_ scalar: UInt32) -> Bool {
    var found = holds(scalar)
    if !found, ignoresCase, let character = Unicode.Scalar(scalar) {
      found = character.caseVariants.contains(where: holds)
    }
    return found != isNegated
  }

  private func holds(_ scalar: UInt32) -> Bool {
    if ranges.contains(where: { $0.contains(scalar) }) { return true }
    guard !categories.isEmpty, let character = Unicode.Scalar(scalar) else { return false }
    let bit = character.properties.generalCategory.bit
    return categories.contains { ($0.bits & bit != 0) != $0.isNegated }
  }
}

extension Unicode.Scalar {
  /// The scalars that differ from this one in case only.
  fileprivate var caseVariants: [UInt32] {
    func single(_ text: String) -> Unicode.Scalar? { text.unicodeScalars.count == 1 ? text.unicodeScalars.first : nil }
    let lower = single(properties.lowercaseMapping)
    let upper = single(properties.uppercaseMapping)
    let crossed = [
      lower.flatMap { single($0.properties.uppercaseMapping) },
      upper.flatMap { single($0.properties.lowercaseMapping) },
    ]
    return ([lower, upper] + crossed).compactMap { $0?.value }
  }
}

extension Unicode.GeneralCategory {
  /// Every category with its two letters, the first of which names the group.
  private static let names: [(Unicode.GeneralCategory, String)] = [
    (.uppercaseLetter, "Lu"), (.lowercaseLetter, "Ll"), (.titlecaseLetter, "Lt"), (.modifierLetter, "Lm"),
    (.otherLetter, "Lo"), (.nonspacingMark, "Mn"), (.spacingMark, "Mc"), (.enclosingMark, "Me"),
    (.decimalNumber, "Nd"), (.letterNumber, "Nl"), (.otherNumber, "No"), (.connectorPunctuation, "Pc"),
    (.dashPunctuation, "Pd"), (.openPunctuation, "Ps"), (.closePunctuation, "Pe"), (.initialPunctuation, "Pi"),
    (.finalPunctuation, "Pf"), (.otherPunctuation, "Po"), (.mathSymbol, "Sm"), (.currencySymbol, "Sc"),
    (.modifierSymbol, "Sk"), (.otherSymbol, "So"), (.spaceSeparator, "Zs"), (.lineSeparator, "Zl"),
    (.paragraphSeparator, "Zp"), (.control, "Cc"), (.format, "Cf"), (.surrogate, "Cs"), (.privateUse, "Co"),
    (.unassigned, "Cn"),
  ]

  /// The bits of a category or of a group of categories; nil for another name.
  static func bits(named name: String) -> UInt32? {
    if name == "Any" { return .max }
    let bits = names.filter { $0.1 == name || name.utf8.count == 1 && $0.1.hasPrefix(name) }.map(\.0.bit)
    return bits.isEmpty ? nil : bits.reduce(0, |)
  }

  fileprivate var bit: UInt32 {
    Self.names.firstIndex { $0.0 == self }.map { 1 << UInt32($0) } ?? 0
  }
}
