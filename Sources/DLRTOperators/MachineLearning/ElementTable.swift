import DLRTGraph
import Glibc

/// Finds a tensor's elements among keys. Of equal keys the last one counts; NaN equals NaN.
struct ElementTable: Sendable {
  /// string, int64, float, int32, int16, double.
  static let types: TypeSet = [TypeSet(.string, .int64, .float32, .int32, .int16, .float64)]

  let type: DataType
  // Holds the bytes that the string keys point to.
  private let keys: Tensor
  private var numbers: NumberTable
  private var strings: [StringRef: Int] = [:]

  init(_ keys: Tensor) throws {
    type = keys.type
    self.keys = try keys.copied()
    numbers = NumberTable(capacity: type == .string ? 0 : keys.count)
    guard Self.types.contains(type) else {
      throw DLRTError(
        .unsupportedModel, "keys of this type are not supported", expected: "one of \(Self.types)", got: type.name)
    }
    if type == .string {
      for (index, key) in self.keys.elements(StringRef.self).enumerated() { strings[key] = index }
    } else {
      forEachNumber(self.keys.pointer, keys.count) { numbers[$1] = $0 }
    }
  }

  func index(of key: Int64) -> Int? { numbers[Self.code(key)] }

  /// Calls `body` with each element's place and the index of the key that it equals.
  @inline(__always)
  func find(_ source: UnsafeRawPointer, _ count: Int, _ body: (Int, Int?) throws -> Void) rethrows {
    if type == .string {
      let source = source.assumingMemoryBound(to: StringRef.self)
      for place in 0..<count { try body(place, strings[source[place]]) }
    } else {
      try numbers.withFinder { finder in
        try forEachNumber(source, count) { try body($0, finder.index(of: $1)) }
      }
    }
  }

  @inline(__always)
  private func forEachNumber(_ source: UnsafeRawPointer, _ count: Int, _ body: (Int, UInt64) throws -> Void) rethrows {
    switch type {
    case .float32:
      let source = source.assumingMemoryBound(to: Float.self)
      for place in 0..<count { try body(place, Self.code(Double(source[place]))) }
    case .float64:
      let source = source.assumingMemoryBound(to: Double.self)
      for place in 0..<count { try body(place, Self.code(source[place])) }
    case .int16:
      let source = source.assumingMemoryBound(to: Int16.self)
      for place in 0..<count { try body(place, Self.code(Int64(source[place]))) }
    case .int32:
      let source = source.assumingMemoryBound(to: Int32.self)
      for place in 0..<count { try body(place, Self.code(Int64(source[place]))) }
    default:
      let source = source.assumingMemoryBound(to: Int64.self)
      for place in 0..<count { try body(place, Self.code(source[place])) }
    }
  }

  @inline(__always)
  private static func code(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) }

  /// The same for all NaNs, and for both zeros.
  @inline(__always)
  private static func code(_ value: Double) -> UInt64 {
    value.isNaN ? Double.nan.bitPattern : value == 0 ? 0 : value.bitPattern
  }
}

/// Replaces keys by values, and what is no key by a default.
struct ElementMap: Sendable {
  let keys: ElementTable
  /// One for each key, then the default.
  private let values: Tensor
  private let fallback: Int

  var valueType: DataType { values.type }

  /// - Parameter fallback: a tensor of one element.
  init(keys: Tensor, values: Tensor, fallback: Tensor) throws {
    guard keys.count == values.count else {
      throw DLRTError(
        .invalidModel, "as many values as keys are needed", expected: "\(keys.count)", got: "\(values.count)")
    }
    guard fallback.count == 1, fallback.type == values.type else {
      throw DLRTError(
        .invalidModel, "the default does not fit the values", expected: "one \(values.type.name)",
        got: "\(fallback.count) of \(fallback.type.name)")
    }
    self.keys = try ElementTable(keys)
    self.fallback = values.count
    if values.type == .string {
      self.values = try Tensor(
        stringRefs: values.elements(StringRef.self) + fallback.elements(StringRef.self), shape: [values.count + 1])
    } else {
      let all = try Tensor(uninitialized: [values.count + 1], type: values.type)
      memcpy(all.mutablePointer, values.pointer, values.byteCount)
      memcpy(all.mutablePointer + values.byteCount, fallback.pointer, fallback.byteCount)
      self.values = all
    }
  }

  func step(_ input: Planning.Operand) -> Step {
    let move = BlockMove(gathering: valueType.size)
    let chunks = Chunks(input.count, cost: 4)
    let (keySize, block) = (keys.type.size, 128)
    return Step(kernel: "lookup") { io in
      let (source, target) = (io.input(0), io.output(0))
      io.parallel(chunks) { range in
        withUnsafeTemporaryAllocation(of: Int.self, capacity: block) { memory in
          guard let places = memory.baseAddress else { return }
          for start in stride(from: range.lowerBound, to: range.upperBound, by: block) {
            let count = min(block, range.upperBound &- start)
            keys.find(source + start &* keySize, count) { place, found in places[place] = found ?? fallback }
            move.run(values.pointer, target + start &* move.bytes, places, 0..<count)
          }
        }
      }
    }
  }
}
