import Glibc

/// A dense, row-major, n-dimensional array of one element type: a value whose bytes may be shared until written.
public struct Tensor: Sendable {
  public let type: DataType
  /// Sizes, outermost first; empty for a scalar.
  public let shape: [Int]
  package private(set) var storage: TensorStorage
  package let byteOffset: Int

  /// The number of elements.
  public var count: Int { shape.product }
  public var rank: Int { shape.count }
  public var byteCount: Int { count &* type.size }

  /// Checks that a shape's bytes can be addressed, and returns their number.
  package static func byteCount(_ type: DataType, _ shape: [Int]) throws(DLRTError) -> Int {
    guard let count = shape.checkedProduct else {
      throw DLRTError(.limitExceeded, "shape \(shape) has no valid size")
    }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: type.size)
    guard !overflow else { throw DLRTError(.limitExceeded, "shape \(shape) of \(type) is too large") }
    return bytes
  }

  /// A tensor of zeros (empty strings, false).
  public init(zeros shape: [Int], type: DataType) throws {
    let bytes = try Self.byteCount(type, shape)
    self.init(type, shape, try TensorStorage(byteCount: bytes, zeroed: true))
  }

  /// A tensor whose bytes are yet to be written.
  ///
  /// - Parameter lasts: as of `TensorStorage`.
  package init(uninitialized shape: [Int], type: DataType, lasts: Bool = false) throws(DLRTError) {
    let bytes = try Self.byteCount(type, shape)
    self.init(type, shape, try TensorStorage(byteCount: bytes, lasts: lasts))
  }

  /// A view of storage whose size the caller has checked.
  package init(_ type: DataType, _ shape: [Int], _ storage: TensorStorage, byteOffset: Int = 0) {
    self.type = type
    self.shape = shape
    self.storage = storage
    self.byteOffset = byteOffset
  }

  /// The same elements under another shape of as many elements.
  public func reshaped(_ shape: [Int]) throws -> Tensor {
    guard shape.checkedProduct == count else {
      throw DLRTError(.invalidArgument, "cannot reshape", expected: "\(count) elements", got: "shape \(shape)")
    }
    return Tensor(type, shape, storage, byteOffset: byteOffset)
  }
}

extension Tensor {
  package var pointer: UnsafeRawPointer { UnsafeRawPointer(storage.base + byteOffset) }

  /// True when nobody but tensors holds the bytes.
  package var isOwned: Bool { storage.isWritable }

  /// True when the elements may be read through typed pointers.
  package var isAligned: Bool { Int(bitPattern: pointer) % min(type.size, 8) == 0 }

  public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try withExtendedLifetime(storage) {
      try body(UnsafeRawBufferPointer(start: pointer, count: byteCount))
    }
  }

  /// Gives the bytes for writing; shared bytes are copied first.
  public mutating func withUnsafeMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) throws -> R {
    if !isKnownUniquelyReferenced(&storage) || !storage.isWritable {
      self = try copied()
    }
    return try body(UnsafeMutableRawBufferPointer(start: storage.base + byteOffset, count: byteCount))
  }

  /// True when no other tensor shares the storage, so that writing to it changes nobody's value.
  package mutating func isExclusive() -> Bool { isKnownUniquelyReferenced(&storage) }

  package func overlaps(_ other: Tensor) -> Bool {
    pointer < other.pointer + other.byteCount && other.pointer < pointer + byteCount
  }

  /// A tensor with bytes of its own, aligned for every kernel.
  package func copied() throws(DLRTError) -> Tensor {
    if type == .string { return try Tensor(stringRefs: elements(StringRef.self), shape: shape) }
    let copy = try Tensor(uninitialized: shape, type: type)
    if byteCount > 0 { memcpy(copy.storage.base, pointer, byteCount) }
    return copy
  }

  /// A tensor whose elements may be read through typed pointers.
  package func aligned() throws(DLRTError) -> Tensor { isAligned ? self : try copied() }

  /// The address for writing into a tensor that was just made and is not shared yet.
  package var mutablePointer: UnsafeMutableRawPointer { storage.base + byteOffset }
}
