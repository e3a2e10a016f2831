import DLRTGraph

extension Tensor {
  /// The only element of a numeric tensor; nil for other types and other numbers of elements.
  package var number: Double? {
    guard count == 1 else { return nil }
    switch type {
    case .float64: return elements(Double.self)[0]
    case .float32: return Double(elements(Float.self)[0])
    case _ where FloatCodec.types.contains(type):
      var value: Float = 0
      withUnsafeBytes { bytes in
        if let start = bytes.baseAddress { FloatCodec.decode(type, start, &value, 1) }
      }
      return Double(value)
    default: return integers.map { Double($0[0]) }
    }
  }
}
