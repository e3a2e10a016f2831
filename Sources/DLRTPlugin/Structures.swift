import CDLRT
import DLRT

/// A C structure that begins with its size, so that it can grow.
package protocol SizedStructure {
  init()
  var size: Int { get set }
  /// The size that the structure had in its first version.
  static var firstSize: Int { get }
}

extension dlrt_operator: SizedStructure { package static let firstSize = 96 }

/// Larger sizes are surely garbage.
private let largestSize = 4096

extension SizedStructure {
  private static func checkedSize(_ pointer: UnsafeRawPointer) throws -> Int {
    let size = pointer.loadUnaligned(as: Int.self)
    guard (firstSize...largestSize).contains(size) else {
      throw DLRTError(
        .invalidArgument, "a structure's size is wrong", expected: "sizeof, \(MemoryLayout<Self>.size)", got: "\(size)")
    }
    return size
  }

  /// The caller's structure. Fields beyond an old caller's are zero; fields of a newer caller must be.
  package init(reading pointer: UnsafePointer<Self>?) throws {
    self.init()
    guard let pointer else { return }
    let source = UnsafeRawPointer(pointer)
    let size = try Self.checkedSize(source)
    let known = MemoryLayout<Self>.size
    let given = UnsafeRawBufferPointer(start: source, count: size)
    withUnsafeMutableBytes(of: &self) { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: given.prefix(known))) }
    guard given.dropFirst(known).allSatisfy({ $0 == 0 }) else {
      throw DLRTError(.invalidArgument, "a structure sets fields that version \(Version.text) does not know")
    }
  }

  /// Fills the caller's structure as far as the caller knows it.
  package func write(to pointer: UnsafeMutablePointer<Self>) throws {
    let size = try Self.checkedSize(UnsafeRawPointer(pointer))
    var copy = self
    copy.size = size
    withUnsafeBytes(of: copy) { bytes in
      let known = UnsafeRawBufferPointer(rebasing: bytes.prefix(size))
      let target = UnsafeMutableRawBufferPointer(start: pointer, count: size)
      target.copyMemory(from: known)
      // What a newer caller has more is zero: its default.
      for index in known.count..<size { target[index] = 0 }
    }
  }
}
