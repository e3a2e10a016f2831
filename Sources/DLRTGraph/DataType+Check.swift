extension DataType {
  /// What makes elements from outside unfit for kernels, which rely on what types promise.
  package struct Fault {
    package let message: String
    package let expected: String?
  }

  /// Finds elements that are none of the type's values; nil when all are.
  package func fault(in bytes: UnsafeRawBufferPointer) -> Fault? {
    switch self {
    case .string: missingString(bytes)
    case .bool: outside(0...1, bytes)
    case .uint4, .float4e2m1: outside(0...15, bytes)
    case .float6e2m3, .float6e3m2: outside(0...63, bytes)
    case .uint2: outside(0...3, bytes)
    case .int4: outside(-8...7, bytes)
    case .int2: outside(-2...1, bytes)
    default: nil
    }
  }

  private func outside(_ range: ClosedRange<Int8>, _ bytes: UnsafeRawBufferPointer) -> Fault? {
    if bytes.allSatisfy({ range.contains(Int8(bitPattern: $0)) }) { return nil }
    return Fault(
      message: "an element is no \(self)", expected: "bytes from \(range.lowerBound) to \(range.upperBound)")
  }

  private func missingString(_ bytes: UnsafeRawBufferPointer) -> Fault? {
    for index in 0..<bytes.count / size {
      let string = bytes.loadUnaligned(fromByteOffset: index * size, as: StringRef.self)
      guard string.count >= 0 else { return Fault(message: "string \(index) is too long", expected: nil) }
      guard string.count == 0 || string.start != nil else {
        return Fault(message: "string \(index) has no bytes", expected: nil)
      }
    }
    return nil
  }
}
