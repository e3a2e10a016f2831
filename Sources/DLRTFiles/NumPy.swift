import CFileFormats
import DLRT
import DLRTGraph

/// NumPy's files: `.npy` with one array, `.npz` with named ones.
package enum NumPy {
  /// Reads one array (format versions 1 to 3, either byte order, C or Fortran order).
  package static func read(_ bytes: [UInt8], name: String) throws -> Tensor { try read(bytes[...], name: name) }

  static func read(_ bytes: ArraySlice<UInt8>, name: String) throws -> Tensor {
    var reader = ByteReader(bytes, name: name)
    guard try Array(reader.take(6)) == [0x93] + Array("NUMPY".utf8) else {
      throw reader.malformed("the file is no NumPy array")
    }
    let version = try reader.take(2).first ?? 0
    let length = try version == 1 ? Int(reader.integer(UInt16.self)) : Int(reader.integer(UInt32.self))
    let header = try NumPyHeader(String(decoding: reader.take(length), as: UTF8.self), name: name)
    guard let byteCount = try? Tensor.byteCount(header.type, header.shape) else {
      throw DLRTError(.invalidInput, "the array is too large", tensor: name, got: "\(header.type) \(header.shape)")
    }
    let data = try reader.take(byteCount)
    guard reader.left == 0 else { throw reader.malformed("the file has \(reader.left) bytes after the array's") }
    let tensor = try Tensor(uninitialized: header.shape, type: header.type)
    data.withUnsafeBytes { source in
      if let start = source.baseAddress { tensor.mutablePointer.copyMemory(from: start, byteCount: byteCount) }
    }
    if header.isBigEndian { swapBytes(tensor) }
    if header.type == .bool { normalizeBools(tensor) }
    return header.isFortranOrder ? try rowMajor(tensor) : tensor
  }

  private static func swapBytes(_ tensor: Tensor) {
    let size = tensor.type.isComplex ? tensor.type.size / 2 : tensor.type.size
    guard size > 1 else { return }
    let bytes = UnsafeMutableRawBufferPointer(start: tensor.mutablePointer, count: tensor.byteCount)
    for start in stride(from: 0, to: bytes.count, by: size) { bytes[start..<start + size].reverse() }
  }

  /// Any byte but zero is true in NumPy; here true is one.
  private static func normalizeBools(_ tensor: Tensor) {
    let bytes = UnsafeMutableRawBufferPointer(start: tensor.mutablePointer, count: tensor.byteCount)
    for index in bytes.indices where bytes[index] != 0 { bytes[index] = 1 }
  }

  private static func rowMajor(_ tensor: Tensor) throws -> Tensor {
    let result = try Tensor(uninitialized: tensor.shape, type: tensor.type)
    guard tensor.count > 0 else { return result }
    let size = tensor.type.size
    var strides = [Int](repeating: 1, count: tensor.rank)
    for axis in tensor.shape.indices.dropFirst() { strides[axis] = strides[axis - 1] * tensor.shape[axis - 1] }
    var index = [Int](repeating: 0, count: tensor.rank)
    for element in 0..<tensor.count {
      let source = zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 }
      (result.mutablePointer + element * size).copyMemory(from: tensor.pointer + source * size, byteCount: size)
      for axis in index.indices.reversed() {
        index[axis] += 1
        if index[axis] < tensor.shape[axis] { break }
        index[axis] = 0
      }
    }
    return result
  }

  /// An array of an archive, which may be of a kind that cannot be read.
  package struct Member {
    package let name: String
    private let member: ZipArchive.Member
    private let archive: String

    fileprivate init(_ member: ZipArchive.Member, of archive: String) {
      name = member.name.hasSuffix(".npy") ? String(member.name.dropLast(4)) : member.name
      self.member = member
      self.archive = archive
    }

    package func tensor() throws -> Tensor { try read(member.contents()[...], name: "\(archive): \(member.name)") }
  }

  /// What an archive has, in its order. Stored and deflated members are read, ZIP64 too.
  package static func members(_ bytes: [UInt8], name: String) throws -> [Member] {
    try ZipArchive(bytes, name: name).members.map { Member($0, of: name) }
  }

  /// All arrays of an archive.
  package static func readArchive(_ bytes: [UInt8], name: String) throws -> [(name: String, tensor: Tensor)] {
    try members(bytes, name: name).map { ($0.name, try $0.tensor()) }
  }
}

/// The Python dictionary at the head of a `.npy` file.
private struct NumPyHeader {
  let type: DataType
  let shape: [Int]
  let isBigEndian: Bool
  let isFortranOrder: Bool

  init(_ text: String, name: String) throws {
    func malformed(_ what: String) -> DLRTError { DLRTError(.invalidInput, what, tensor: name, got: text) }
    guard let descr = Self.value(of: "descr", in: text), descr.hasPrefix("'"), descr.count >= 4,
      let order = Self.value(of: "fortran_order", in: text), let tuple = Self.value(of: "shape", in: text),
      tuple.hasPrefix("(")
    else { throw malformed("the array's header is not understood") }
    let code = String(descr.dropFirst().prefix { $0 != "'" })
    guard let type = Self.types[String(code.dropFirst())] else {
      throw DLRTError(.invalidInput, "the array's element type is not supported", tensor: name, got: code)
    }
    guard let mark = code.first, "<>|=".contains(mark) else { throw malformed("the array's byte order is not known") }
    self.type = type
    isBigEndian = code.hasPrefix(">")
    isFortranOrder = order.hasPrefix("True")
    let sizes = tuple.dropFirst().prefix { $0 != ")" }.split(separator: ",").map { part in
      Int(part.filter { $0 != " " && $0 != "L" })
    }
    guard sizes.count <= Self.mostDimensions, sizes.allSatisfy({ ($0 ?? -1) >= 0 }) else {
      throw malformed("the array's shape is not understood")
    }
    shape = sizes.compactMap { $0 }
  }

  /// NumPy's own limit.
  private static let mostDimensions = 64

  private static let types: [String: DataType] = [
    "f4": .float32, "f8": .float64, "f2": .float16, "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64,
    "u1": .uint8, "u2": .uint16, "u4": .uint32, "u8": .uint64, "b1": .bool, "c8": .complex64, "c16": .complex128,
  ]

  private static func value(of key: String, in text: String) -> Substring? {
    for quote in ["'", "\""] {
      let pattern = "\(quote)\(key)\(quote):"
      var rest = text[...]
      while !rest.isEmpty {
        if rest.hasPrefix(pattern) { return rest.dropFirst(pattern.count).drop { $0 == " " } }
        rest = rest.dropFirst()
      }
    }
    return nil
  }
}
