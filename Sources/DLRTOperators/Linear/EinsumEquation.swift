import DLRTGraph

/// An Einsum equation: one label for each axis of each operand, and for each axis of the result.
struct EinsumEquation: Sendable {
  /// A letter, or one of the axes that an ellipsis stands for, counted from the last.
  enum Label: Hashable, Sendable {
    case letter(UInt8)
    case ellipsis(Int)
  }

  private enum Symbol: Hashable, Sendable {
    case letter(UInt8)
    case ellipsis
  }

  private let terms: [[Symbol]]
  private let result: [Symbol]?

  init(_ text: String) throws(DLRTError) {
    let sides = Array(text.utf8).filter { $0 != UInt8(ascii: " ") }
    var left = sides[...]
    var right: ArraySlice<UInt8>?
    if let arrow = sides.indices.dropLast().first(where: { sides[$0] == UInt8(ascii: "-") }) {
      guard sides[arrow + 1] == UInt8(ascii: ">") else { throw Self.malformed(text) }
      left = sides[..<arrow]
      right = sides[(arrow + 2)...]
    }
    var terms: [[Symbol]] = []
    for term in left.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      terms.append(try Self.symbols(term, text))
    }
    self.terms = terms
    result = if let right { try Self.symbols(right, text) } else { nil }
    guard let result else { return }
    let known = Set(terms.joined())
    for (index, symbol) in result.enumerated() {
      guard symbol == .ellipsis || known.contains(symbol), !result[..<index].contains(symbol) else {
        throw Self.malformed(text)
      }
    }
  }

  private static func malformed(_ text: String) -> DLRTError {
    DLRTError(.invalidModel, "not an einsum equation", tensor: "equation", got: "'\(text)'")
  }

  private static func symbols(_ term: ArraySlice<UInt8>, _ text: String) throws(DLRTError) -> [Symbol] {
    var symbols: [Symbol] = []
    var rest = term
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
        symbols.append(.letter(byte))
      case UInt8(ascii: "."):
        guard rest.popFirst() == byte, rest.popFirst() == byte, !symbols.contains(.ellipsis) else {
          throw malformed(text)
        }
        symbols.append(.ellipsis)
      default: throw malformed(text)
      }
    }
    return symbols
  }

  /// The labels of all operands' axes and of the result's, for operands of the given ranks.
  func labels(ranks: [Int]) throws(DLRTError) -> (operands: [[Label]], result: [Label]) {
    guard ranks.count == terms.count else {
      throw DLRTError(
        .invalidModel, "number of inputs differs from the equation's", expected: "\(terms.count)", got: "\(ranks.count)"
      )
    }
    var widest = 0
    var operands: [[Label]] = []
    for (index, term) in terms.enumerated() {
      let letters = term.count { $0 != .ellipsis }
      let hidden = ranks[index] - letters
      guard hidden == 0 || (hidden > 0 && term.contains(.ellipsis)) else {
        throw DLRTError(
          .invalidModel, "wrong rank", tensor: "input \(index)", expected: "\(letters) axes", got: "\(ranks[index])")
      }
      widest = max(widest, hidden)
      operands.append(Self.expand(term, hidden))
    }
    if let result { return (operands, Self.expand(result, widest)) }
    let letters = terms.joined().compactMap { if case .letter(let byte) = $0 { byte } else { nil } }
    let single = Set(letters).filter { byte in letters.count { $0 == byte } == 1 }.sorted()
    return (operands, Self.expand([.ellipsis] + single.map { .letter($0) }, widest))
  }

  private static func expand(_ symbols: [Symbol], _ hidden: Int) -> [Label] {
    symbols.flatMap { symbol -> [Label] in
      switch symbol {
      case .letter(let byte): [.letter(byte)]
      case .ellipsis: (0..<hidden).reversed().map { .ellipsis($0) }
      }
    }
  }
}
