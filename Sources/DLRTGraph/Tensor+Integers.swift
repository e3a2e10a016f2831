extension Tensor {
  /// The elements of an integer or bool tensor, widened; nil for other element types.
  ///
  /// `uint64` values beyond `Int.max` are clamped, which every reader of sizes and indices refuses anyway.
  package var integers: [Int]? {
    switch type {
    case .int64: elements(Int64.self).map { Int($0) }
    case .int32: elements(Int32.self).map { Int($0) }
    case .int16: elements(Int16.self).map { Int($0) }
    case .int8, .int4, .int2: elements(Int8.self).map { Int($0) }
    case .uint64: elements(UInt64.self).map { Int(clamping: $0) }
    case .uint32: elements(UInt32.self).map { Int($0) }
    case .uint16: elements(UInt16.self).map { Int($0) }
    case .uint8, .uint4, .uint2, .bool: elements(UInt8.self).map { Int($0) }
    default: nil
    }
  }

  /// A one-dimensional int64 tensor.
  package init(int64 values: [Int]) throws(DLRTError) {
    try self.init(int64: values, shape: [values.count])
  }

  package init(int64 values: [Int], shape: [Int]) throws(DLRTError) {
    try self.init(uninitialized: shape, type: .int64)
    let target = mutablePointer.assumingMemoryBound(to: Int64.self)
    for (index, value) in values.prefix(count).enumerated() { target[index] = Int64(value) }
  }
}
