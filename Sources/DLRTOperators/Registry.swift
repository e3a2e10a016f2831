extension OperatorRegistry {
  /// Every operator that dlrt has.
  package static let standard = OperatorRegistry([
    shapeOperators
  ])
}
