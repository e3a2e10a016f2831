import DLRTGraph

/// An input of a user's operator: dense, row-major elements that must not be kept beyond the call.
public struct TensorView {
  public let type: DataType
  public let shape: [Int]
  public let bytes: UnsafeRawBufferPointer

  public var count: Int { shape.product }

  /// - Throws: `invalidInput` when the tensor holds another element type.
  public func elements<Element: TensorElement>(
    of _: Element.Type = Element.self
  ) throws -> UnsafeBufferPointer<Element> {
    try checkType(type, is: Element.dataType)
    return bytes.assumingMemoryBound(to: Element.self)
  }

  public func strings() throws -> [String] {
    try checkType(type, is: .string)
    return bytes.assumingMemoryBound(to: StringRef.self).map(\.string)
  }
}

/// Where an output of a user's operator goes.
public struct MutableTensorView {
  public let type: DataType
  public let shape: [Int]
  public let bytes: UnsafeMutableRawBufferPointer

  public var count: Int { shape.product }

  /// - Throws: `invalidInput` when the tensor holds another element type.
  public func elements<Element: TensorElement>(
    of _: Element.Type = Element.self
  ) throws -> UnsafeMutableBufferPointer<Element> {
    try checkType(type, is: Element.dataType)
    return bytes.assumingMemoryBound(to: Element.self)
  }
}

private func checkType(_ type: DataType, is wanted: DataType) throws {
  guard type == wanted else {
    throw DLRTError(.invalidInput, "element type is not supported", expected: "\(wanted)", got: "\(type)")
  }
}
