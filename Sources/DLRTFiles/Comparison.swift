import DLRT
import DLRTGraph
import DLRTOperators

/// Compares what a run gave with what was expected.
package enum Comparison {
  /// Why the values differ, naming the first element that does; nil when they agree.
  package static func difference(_ got: Value, _ expected: Value, _ tolerance: Tolerance) throws -> String? {
    switch (got, expected) {
    case (.tensor(let a), .tensor(let b)):
      return try difference(a, b, tolerance)
    case (.sequence(let a, _), .sequence(let b, _)):
      guard a.count == b.count else { return "sequence of \(a.count) elements, expected \(b.count)" }
      for (index, pair) in zip(a, b).enumerated() {
        if let why = try difference(pair.0, pair.1, tolerance) { return "element \(index): \(why)" }
      }
      return nil
    case (.optional(let a, _), .optional(let b, _)):
      switch (a, b) {
      case (nil, nil): return nil
      case (let a?, let b?): return try difference(a, b, tolerance)
      case (nil, _): return "empty optional, expected a value"
      case (_, nil): return "optional with a value, expected an empty one"
      }
    case (.map(let keys, let values, _), .map(let otherKeys, let otherValues, _)):
      if let why = try difference(keys, otherKeys, tolerance) { return "keys: \(why)" }
      for (index, pair) in zip(values, otherValues).enumerated() {
        if let why = try difference(pair.0, pair.1, tolerance) { return "value \(index): \(why)" }
      }
      return nil
    default:
      return "\(got.type), expected \(expected.type)"
    }
  }

  /// Compares type and shape only: all that can be expected of random numbers.
  package static func differenceOfForm(_ got: Value, _ expected: Value) -> String? {
    guard got.type == expected.type else { return "\(got.type), expected \(expected.type)" }
    guard got.tensor?.shape == expected.tensor?.shape else {
      return "shape \(got.tensor?.shape ?? []), expected \(expected.tensor?.shape ?? [])"
    }
    return nil
  }

  package static func difference(_ got: Tensor, _ expected: Tensor, _ tolerance: Tolerance) throws -> String? {
    guard got.type == expected.type else { return "element type \(got.type), expected \(expected.type)" }
    guard got.shape == expected.shape else { return "shape \(got.shape), expected \(expected.shape)" }
    switch got.type {
    case .string:
      return first(try got.strings(), try expected.strings(), got.shape) { $0 == $1 }
    case .float64, .float32, .float16, .bfloat16, .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz,
      .float8e8m0, .float4e2m1, .float6e2m3, .float6e3m2, .complex64, .complex128:
      let tolerance = tolerance.widened(for: got.type)
      return first(try doubles(got), try doubles(expected), got.shape) { near($0, $1, tolerance) }
    case .uint64:
      return first(try got.array(of: UInt64.self), try expected.array(of: UInt64.self), got.shape) { $0 == $1 }
    default:
      // Exactly, unless the tolerance allows for a rounding that falls to the other side.
      return first(got.integers ?? [], expected.integers ?? [], got.shape) { (a: Int, b: Int) in
        a == b || abs(Double(a) - Double(b)) <= tolerance.absolute
      }
    }
  }

  private static func near(_ a: Double, _ b: Double, _ tolerance: Tolerance) -> Bool {
    if a.isNaN || b.isNaN { return a.isNaN && b.isNaN }
    if a.isInfinite || b.isInfinite { return a == b }
    return (a - b).magnitude <= tolerance.absolute + tolerance.relative * b.magnitude
  }

  private static func first<T>(_ a: [T], _ b: [T], _ shape: [Int], _ agree: (T, T) -> Bool) -> String? {
    var differing = 0
    var text: String?
    for index in 0..<min(a.count, b.count) where !agree(a[index], b[index]) {
      differing += 1
      if text == nil { text = "element \(position(index, shape)) is \(a[index]), expected \(b[index])" }
    }
    return text.map { "\($0) (\(differing) of \(a.count) differ)" }
  }

  private static func position(_ index: Int, _ shape: [Int]) -> [Int] {
    var rest = index
    var result: [Int] = []
    for size in shape.reversed() where size > 0 {
      result.append(rest % size)
      rest /= size
    }
    return result.reversed()
  }

  /// The numbers of a float or complex tensor; complex ones as pairs.
  package static func doubles(_ tensor: Tensor) throws -> [Double] {
    switch tensor.type {
    case .float64: return tensor.elements(Double.self)
    case .float32: return tensor.elements(Float.self).map(Double.init)
    case .complex64: return reinterpreted(tensor, Float.self).map(Double.init)
    case .complex128: return reinterpreted(tensor, Double.self)
    default:
      guard FloatCodec.types.contains(tensor.type) else { return (tensor.integers ?? []).map(Double.init) }
      let count = tensor.count
      if count == 0 { return [] }
      let source = try tensor.aligned()
      let floats = source.withUnsafeBytes { bytes in
        [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
          if let start = bytes.baseAddress, let target = buffer.baseAddress {
            FloatCodec.decode(tensor.type, start, target, count)
          }
          initialized = count
        }
      }
      return floats.map(Double.init)
    }
  }

  private static func reinterpreted<T: BitwiseCopyable>(_ tensor: Tensor, _: T.Type) -> [T] {
    tensor.withUnsafeBytes { bytes in
      (0..<(bytes.count / MemoryLayout<T>.size)).map {
        bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self)
      }
    }
  }
}
