/// A regular expression as its syntax nests it. What it captures and how greedy it is make no difference to where the
/// longest match ends, so neither is kept.
indirect enum RegexNode {
  case empty
  case set(CharacterClass)
  case assertion(RegexAssertion)
  case sequence([RegexNode])
  case alternatives([RegexNode])
  case repetition(RegexNode, least: Int, most: Int?)
}

/// What is asked of a place between two characters.
enum RegexAssertion: Int32 {
  case textStart
  case textEnd
  case lineStart
  case lineEnd
  case wordBoundary
  case noWordBoundary

  /// - Parameters:
  ///   - before: the scalar before the place, nil at the start.
  ///   - after: the scalar behind it, nil at the end.
  func holds(before: UInt32?, after: UInt32?) -> Bool {
    switch self {
    case .textStart: before == nil
    case .textEnd: after == nil
    case .lineStart: before == nil || before == 10
    case .lineEnd: after == nil || after == 10
    case .wordBoundary: isWord(before) != isWord(after)
    case .noWordBoundary: isWord(before) == isWord(after)
    }
  }

  private func isWord(_ scalar: UInt32?) -> Bool {
    guard let scalar, scalar < 128 else { return false }
    return RegexParser.word.contains { $0.contains(scalar) }
  }
}
