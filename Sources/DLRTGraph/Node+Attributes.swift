/// Attributes for those who rewrite nodes. One of another kind counts as absent: an operator refuses it when it is made.
extension Node {
  /// In the order of their names.
  @inline(never)
  package var sortedAttributes: [(key: String, value: Attribute)] { attributes.sorted { $0.key < $1.key } }

  package func int(_ name: String, _ fallback: Int) -> Int {
    if case .int(let value)? = attributes[name] { value } else { fallback }
  }

  package func float(_ name: String, _ fallback: Float) -> Float {
    if case .float(let value)? = attributes[name] { value } else { fallback }
  }

  package func ints(_ name: String) -> [Int]? {
    if case .ints(let values)? = attributes[name] { values } else { nil }
  }
}
