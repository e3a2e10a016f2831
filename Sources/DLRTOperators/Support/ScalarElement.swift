import DLRTGraph

extension NumericElement {
  /// One element of any number type, e.g. a parameter whose type need not be the data's. Exact when the type is this one.
  package init(element pointer: UnsafeRawPointer, _ type: DataType) {
    if type == Self.dataType {
      self = pointer.loadUnaligned(as: Self.self)
    } else {
      self.init(nearest: Double(reading: pointer, type))
    }
  }
}

extension Double {
  /// One element of a number type or bool; NaN for other types.
  fileprivate init(reading pointer: UnsafeRawPointer, _ type: DataType) {
    switch type {
    case .float32: self = Double(pointer.loadUnaligned(as: Float.self))
    case .float64: self = pointer.loadUnaligned(as: Double.self)
    case .int64: self = Double(pointer.loadUnaligned(as: Int64.self))
    case .int32: self = Double(pointer.loadUnaligned(as: Int32.self))
    case .int16: self = Double(pointer.loadUnaligned(as: Int16.self))
    case .int8, .int4, .int2: self = Double(pointer.load(as: Int8.self))
    case .uint64: self = Double(pointer.loadUnaligned(as: UInt64.self))
    case .uint32: self = Double(pointer.loadUnaligned(as: UInt32.self))
    case .uint16: self = Double(pointer.loadUnaligned(as: UInt16.self))
    case .uint8, .uint4, .uint2, .bool: self = Double(pointer.load(as: UInt8.self))
    case .string, .complex64, .complex128: self = .nan
    default:
      var value: Float = 0
      FloatCodec.decode(type, pointer, &value, 1)
      self = Double(value)
    }
  }
}
