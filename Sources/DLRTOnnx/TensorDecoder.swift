import COnnx
import DLRTGraph
import Glibc

/// Makes tensors of `TensorProto`s. Raw data whose layout is that of memory is used where it lies.
final class TensorDecoder {
  private let owner: AnyObject?
  private let external: ExternalData?
  /// Small files may describe huge sparse tensors: all of a model together get this many bytes.
  private var sparseBudget = 1 << 30
  /// External tensors may share their bytes: copies of all together get this many.
  private var copyBudget = 256 << 20

  /// - Parameters:
  ///   - owner: keeps the bytes that were parsed.
  ///   - external: where external data may come from; nil refuses it.
  init(owner: AnyObject?, external: ExternalData?) {
    self.owner = owner
    self.external = external
  }

  func decode(_ source: COnnxTensor, name: String) throws(DLRTError) -> Tensor {
    let type = try Self.dataType(source.data_type, tensor: name)
    let shape = source.dims.ints
    guard let count = shape.checkedProduct else {
      throw DLRTError(.invalidModel, "dimensions have no valid size", tensor: name, got: "\(shape)")
    }
    guard !source.has_segment else {
      throw DLRTError(.unsupportedModel, "tensors in segments are not supported", tensor: name)
    }
    if source.is_external {
      guard !source.has_raw, Self.typedFields(source).allSatisfy({ $0.count == 0 }) else {
        throw DLRTError(.invalidModel, "data both inside and outside the file", tensor: name)
      }
      guard let external else {
        throw DLRTError(.invalidModel, "external data needs a model that was loaded from a path", tensor: name)
      }
      guard type != .string else {
        throw DLRTError(.invalidModel, "strings cannot be external data", tensor: name)
      }
      let bytes = try packedByteCount(type, count, name)
      let (start, file) = try external.bytes(of: source, byteCount: bytes, name: name)
      return try tensor(type, shape, UnsafeRawBufferPointer(start: start, count: bytes), owner: file, name)
    }
    if source.has_raw && type != .string {
      guard Self.typedFields(source).allSatisfy({ $0.count == 0 }) else {
        throw DLRTError(.invalidModel, "data both raw and typed", tensor: name)
      }
      let bytes = try packedByteCount(type, count, name)
      guard source.raw.count == bytes else {
        throw DLRTError(
          .invalidModel, "raw data does not fill \(type)\(shape)", tensor: name, expected: "\(bytes) bytes",
          got: "\(source.raw.count)")
      }
      return try tensor(type, shape, source.raw.buffer, owner: owner, name)
    }
    return try typedTensor(source, type, shape, count, name)
  }

  static func dataType(_ code: Int32, tensor: String) throws(DLRTError) -> DataType {
    guard let byte = UInt8(exactly: code), let type = DataType(rawValue: byte) else {
      throw DLRTError(.unsupportedModel, "no such element type", tensor: tensor, got: "\(code)")
    }
    return type
  }

  private func packedByteCount(_ type: DataType, _ count: Int, _ name: String) throws(DLRTError) -> Int {
    let (bits, overflow) = count.multipliedReportingOverflow(by: type.packedBits)
    guard !overflow, bits <= Int.max - 7 else {
      throw DLRTError(.limitExceeded, "\(count) elements of \(type) are too many", tensor: name)
    }
    return (bits + 7) / 8
  }

  /// A tensor of bytes in the file's layout, whose number was checked.
  private func tensor(
    _ type: DataType, _ shape: [Int], _ bytes: UnsafeRawBufferPointer, owner: AnyObject?, _ name: String
  ) throws(DLRTError) -> Tensor {
    let isByteSized = type.packedBits == type.size * 8
    // Any other byte than 0 and 1 is no `Bool`.
    if isByteSized, type != .bool || bytes.allSatisfy({ $0 <= 1 }), let start = bytes.baseAddress,
      bytes.count > min(Self.copiedBytes, copyBudget) || !(owner is any RestorableMemory)
    {
      return Tensor(type, shape, TensorStorage(borrowing: start, byteCount: bytes.count, owner: owner))
    }
    let result = try Tensor(uninitialized: shape, type: type)
    let target = result.mutablePointer.assumingMemoryBound(to: UInt8.self)
    if type == .bool {
      for (index, byte) in bytes.enumerated() { target[index] = byte == 0 ? 0 : 1 }
    } else if !isByteSized {
      Packing.unpack(bytes, type, result.count, into: target)
    } else if let start = bytes.baseAddress {
      copyBudget -= bytes.count
      memcpy(target, start, bytes.count)
    }
    return result
  }

  /// What is smaller would keep far more of its file resident than itself: systems map a page, or a cached block of
  /// megabytes, where one byte is read.
  private static let copiedBytes = 16 << 10
}

extension TensorDecoder {
  private static func typedFields(_ source: COnnxTensor) -> [(name: String, count: Int)] {
    [
      ("float_data", source.floats.count), ("double_data", source.doubles.count),
      ("int32_data", source.int32s.count), ("int64_data", source.int64s.count),
      ("uint64_data", source.uint64s.count), ("string_data", source.strings.count),
    ]
  }

  private func typedTensor(
    _ source: COnnxTensor, _ type: DataType, _ shape: [Int], _ count: Int, _ name: String
  ) throws(DLRTError) -> Tensor {
    let field =
      switch type {
      case .float32, .complex64: "float_data"
      case .float64, .complex128: "double_data"
      case .int64: "int64_data"
      case .uint32, .uint64: "uint64_data"
      case .string: "string_data"
      default: "int32_data"
      }
    var entries: Int
    switch type {
    case .complex64, .complex128: entries = count > Int.max / 2 ? Int.max : count * 2
    case .int4, .uint4, .float4e2m1, .int2, .uint2: entries = try packedByteCount(type, count, name)
    default: entries = count
    }
    for found in Self.typedFields(source) {
      let expected = found.name == field ? entries : 0
      guard found.count == expected else {
        throw DLRTError(
          .invalidModel, "data does not fill \(type)\(shape)", tensor: name, expected: "\(expected) in \(found.name)",
          got: "\(found.count)")
      }
    }
    if type == .string {
      return try Tensor(byteStrings: source.strings.all.map { Array($0.buffer) }, shape: shape)
    }
    let result = try Tensor(uninitialized: shape, type: type)
    let target = result.mutablePointer
    switch type {
    case .float32, .complex64: copy(source.floats.values, entries, target)
    case .float64, .complex128: copy(source.doubles.values, entries, target)
    case .int64: copy(source.int64s.values, entries, target)
    case .uint64: copy(source.uint64s.values, entries, target)
    case .uint32: try narrow(source.uint64s.values, entries, target, UInt32.self, name)
    case .int32: copy(source.int32s.values, entries, target)
    case .int16: try narrow(source.int32s.values, entries, target, Int16.self, name)
    case .uint16, .float16, .bfloat16: try narrow(source.int32s.values, entries, target, UInt16.self, name)
    case .int8: try narrow(source.int32s.values, entries, target, Int8.self, name)
    case .bool:
      for index in 0..<entries {
        target.storeBytes(of: source.int32s.values[index] == 0 ? 0 : 1, toByteOffset: index, as: UInt8.self)
      }
    case .int4, .uint4, .float4e2m1, .int2, .uint2:
      let packed = try Tensor(uninitialized: [entries], type: .uint8)
      try narrow(source.int32s.values, entries, packed.mutablePointer, UInt8.self, name)
      packed.withUnsafeBytes {
        Packing.unpack($0, type, count, into: target.assumingMemoryBound(to: UInt8.self))
      }
    default: try narrow(source.int32s.values, entries, target, UInt8.self, name)
    }
    return result
  }

  private func copy<Element: BitwiseCopyable>(
    _ source: UnsafePointer<Element>?, _ count: Int, _ target: UnsafeMutableRawPointer
  ) {
    if let source, count > 0 { memcpy(target, source, count * MemoryLayout<Element>.size) }
  }

  private func narrow<Wide: FixedWidthInteger & BitwiseCopyable, Narrow: FixedWidthInteger & BitwiseCopyable>(
    _ source: UnsafePointer<Wide>?, _ count: Int, _ target: UnsafeMutableRawPointer, _: Narrow.Type, _ name: String
  ) throws(DLRTError) {
    guard let source else { return }
    for index in 0..<count {
      guard let value = Narrow(exactly: source[index]) else {
        throw DLRTError(
          .invalidModel, "a value does not fit its element type", tensor: name,
          expected: "\(Narrow.min)...\(Narrow.max)", got: "\(source[index])")
      }
      target.storeBytes(of: value, toByteOffset: index * MemoryLayout<Narrow>.size, as: Narrow.self)
    }
  }
}

extension TensorDecoder {
  /// A sparse tensor with its zeros.
  func decode(_ source: COnnxSparseTensor, name: String) throws(DLRTError) -> Tensor {
    guard let values = source.values.first, let indices = source.indices.first else {
      throw DLRTError(.invalidModel, "a sparse tensor without values or indices", tensor: name)
    }
    let data = try decode(values, name: name)
    let places = try decode(indices, name: name)
    let shape = source.dims.ints
    let bytes = try Tensor.byteCount(data.type, shape)
    guard bytes <= sparseBudget else {
      throw DLRTError(.limitExceeded, "sparse tensors take too much memory when dense", tensor: name, got: "\(shape)")
    }
    guard data.rank == 1, data.type != .string, places.type == .int64 else {
      throw DLRTError(
        .invalidModel, "a sparse tensor's parts do not fit", tensor: name,
        expected: "values of rank 1 and indices of int64",
        got: "\(data.type)\(data.shape) and \(places.type)\(places.shape)")
    }
    let isLinear = places.rank == 1
    guard places.shape == (isLinear ? [data.count] : [data.count, shape.count]) else {
      throw DLRTError(
        .invalidModel, "a sparse tensor's indices do not fit", tensor: name,
        expected: "[\(data.count)] or [\(data.count), \(shape.count)]", got: "\(places.shape)")
    }
    sparseBudget -= bytes
    let result = try Tensor(zeroed: shape, type: data.type)
    let index = places.elements(Int64.self)
    let strides = shape.rowMajorStrides
    let size = data.type.size
    for element in 0..<data.count {
      var offset = 0
      if isLinear {
        offset = Int(index[element])
        guard offset >= 0, offset < result.count else { throw outOfRange("\(offset)", shape, name) }
      } else {
        for axis in shape.indices {
          let place = Int(index[element * shape.count + axis])
          guard place >= 0, place < shape[axis] else { throw outOfRange("\(place) on axis \(axis)", shape, name) }
          offset += place * strides[axis]
        }
      }
      memcpy(result.mutablePointer + offset * size, data.pointer + element * size, size)
    }
    return result
  }

  private func outOfRange(_ index: String, _ shape: [Int], _ name: String) -> DLRTError {
    DLRTError(
      .invalidModel, "a sparse tensor's index is out of range", tensor: name, expected: "within \(shape)", got: index)
  }
}

extension Tensor {
  fileprivate init(zeroed shape: [Int], type: DataType) throws(DLRTError) {
    let bytes = try Self.byteCount(type, shape)
    self.init(type, shape, try TensorStorage(byteCount: bytes, zeroed: true))
  }
}
