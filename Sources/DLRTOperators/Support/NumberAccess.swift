import DLRTGraph

/// Stores a double as an element of another type; integers cut the fraction off.
struct NumberStore: NumericTask {
  func run<T: NumericElement>(_ type: T.Type) -> @Sendable (UnsafeMutableRawPointer, Int, Double) -> Void {
    let isFloat = T.dataType.isFloat
    return { target, index, value in
      target.assumingMemoryBound(to: T.self)[index] = T(nearest: isFloat ? value : value.rounded(.towardZero))
    }
  }
}

extension DataType {
  /// Reads numbers of this type (float, double, int64 or int32) as doubles.
  func widen(
    _ source: UnsafeRawPointer, from start: Int, into target: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    switch self {
    case .float32: Self.copy(source.assumingMemoryBound(to: Float.self) + start, target, count)
    case .int64: Self.copy(source.assumingMemoryBound(to: Int64.self) + start, target, count)
    case .int32: Self.copy(source.assumingMemoryBound(to: Int32.self) + start, target, count)
    default: Self.copy(source.assumingMemoryBound(to: Double.self) + start, target, count)
    }
  }

  @inline(__always)
  private static func copy<T: NumericElement>(
    _ source: UnsafePointer<T>, _ target: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    for index in 0..<count { target[index] = source[index].double }
  }
}
