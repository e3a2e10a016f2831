import Glibc

/// A Swift type that has the memory layout of one of ONNX's element types.
public protocol TensorElement: BitwiseCopyable, Sendable {
  static var dataType: DataType { get }
}

extension Float: TensorElement { public static var dataType: DataType { .float32 } }
extension Double: TensorElement { public static var dataType: DataType { .float64 } }
extension Float16: TensorElement { public static var dataType: DataType { .float16 } }
extension Int8: TensorElement { public static var dataType: DataType { .int8 } }
extension Int16: TensorElement { public static var dataType: DataType { .int16 } }
extension Int32: TensorElement { public static var dataType: DataType { .int32 } }
extension Int64: TensorElement { public static var dataType: DataType { .int64 } }
extension UInt8: TensorElement { public static var dataType: DataType { .uint8 } }
extension UInt16: TensorElement { public static var dataType: DataType { .uint16 } }
extension UInt32: TensorElement { public static var dataType: DataType { .uint32 } }
extension UInt64: TensorElement { public static var dataType: DataType { .uint64 } }
extension Bool: TensorElement { public static var dataType: DataType { .bool } }

extension Tensor {
  /// A tensor of the given elements, in row-major order.
  ///
  /// - Throws: `DLRTError` with `.invalidArgument` when the number of elements is not the shape's.
  public init<Element: TensorElement>(_ elements: [Element], shape: [Int]) throws {
    guard shape.checkedProduct == elements.count else {
      throw DLRTError(
        .invalidArgument, "elements do not fill the shape", expected: "shape \(shape)",
        got: "\(elements.count) elements")
    }
    try self.init(uninitialized: shape, type: Element.dataType)
    elements.withUnsafeBytes { source in
      if let start = source.baseAddress { memcpy(mutablePointer, start, source.count) }
    }
  }

  public init<Element: TensorElement>(scalar: Element) throws {
    try self.init([scalar], shape: [])
  }

  /// The elements in row-major order.
  ///
  /// - Throws: `DLRTError` with `.invalidArgument` when the tensor holds another element type.
  public func array<Element: TensorElement>(of element: Element.Type = Element.self) throws -> [Element] {
    guard type == Element.dataType else {
      throw DLRTError(
        .invalidArgument, "wrong element type", expected: "\(type)", got: "\(Element.dataType)")
    }
    return elements(element)
  }

  /// The elements read as `Element`, whose layout the caller knows to be this tensor's.
  package func elements<Element: BitwiseCopyable>(_: Element.Type) -> [Element] {
    let count = count
    // The empty array is one object for all threads, which making it by its count would write to.
    if count == 0 { return [] }
    return withUnsafeBytes { bytes in
      [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
        if let start = bytes.baseAddress, let target = buffer.baseAddress, bytes.count > 0 {
          memcpy(target, start, bytes.count)
        }
        initialized = count
      }
    }
  }

  /// One element, by its indices.
  ///
  /// - Throws: `DLRTError` with `.invalidArgument` for a wrong type, rank or an index out of range.
  public func element<Element: TensorElement>(_ indices: Int..., as: Element.Type = Element.self) throws -> Element {
    guard type == Element.dataType else {
      throw DLRTError(.invalidArgument, "wrong element type", expected: "\(type)", got: "\(Element.dataType)")
    }
    guard indices.count == rank, zip(indices, shape).allSatisfy({ $0 >= 0 && $0 < $1 }) else {
      throw DLRTError(.invalidArgument, "index out of range", expected: "within \(shape)", got: "\(indices)")
    }
    let offset = zip(indices, shape.rowMajorStrides).reduce(0) { $0 + $1.0 * $1.1 }
    return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset * MemoryLayout<Element>.size, as: Element.self) }
  }
}

extension Tensor {
  /// A tensor of strings, which it copies.
  public init(_ strings: [String], shape: [Int]) throws {
    let all = strings.map { Array($0.utf8) }
    guard shape.checkedProduct == all.count else {
      throw DLRTError(
        .invalidArgument, "elements do not fill the shape", expected: "shape \(shape)", got: "\(all.count) elements")
    }
    try self.init(byteStrings: all, shape: shape)
  }

  /// A tensor of strings given as bytes; ONNX does not promise UTF-8.
  package init(byteStrings: [[UInt8]], shape: [Int]) throws(DLRTError) {
    let blobSize = byteStrings.reduce(0) { $0 + $1.count }
    let header = byteStrings.count * MemoryLayout<StringRef>.stride
    let storage = try TensorStorage(byteCount: header + blobSize)
    let refs = storage.base.assumingMemoryBound(to: StringRef.self)
    var cursor = (storage.base + header).assumingMemoryBound(to: UInt8.self)
    for (index, bytes) in byteStrings.enumerated() {
      bytes.withUnsafeBufferPointer { if let start = $0.baseAddress { memcpy(cursor, start, $0.count) } }
      refs[index] = StringRef(start: UnsafePointer(cursor), count: bytes.count)
      cursor += bytes.count
    }
    self.init(.string, shape, storage)
  }

  /// A tensor of strings that copies what the references point to.
  package init(stringRefs: [StringRef], shape: [Int]) throws(DLRTError) {
    try self.init(byteStrings: stringRefs.map { Array($0.bytes) }, shape: shape)
  }

  /// The strings in row-major order; bytes that are not UTF-8 are repaired.
  public func strings() throws -> [String] {
    guard type == .string else {
      throw DLRTError(.invalidArgument, "wrong element type", expected: "string", got: "\(type)")
    }
    return withUnsafeBytes { _ in elements(StringRef.self).map(\.string) }
  }
}
