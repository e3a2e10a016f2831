import DLRTGraph

extension Planning {
  /// The elements of an integer input on whose numbers inference has insisted.
  package func integers(_ index: Int) throws(DLRTError) -> [Int] {
    guard let values = constant(index)?.integers else {
      throw DLRTError(.internalError, "input \(index) is planned before its values are known")
    }
    return values
  }
}
