import Glibc

/// One element of a string tensor: bytes that live elsewhere (in a tensor's storage or a run's string pool).
///
/// It is plain memory, so operators that only move elements treat strings like any other 16-byte element.
/// All zero bytes are the empty string.
package struct StringRef: Hashable, Sendable, BitwiseCopyable {
  package nonisolated(unsafe) let start: UnsafePointer<UInt8>?
  package let count: Int

  package init(start: UnsafePointer<UInt8>?, count: Int) {
    self.start = start
    self.count = count
  }

  package var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: start, count: count) }
  package var string: String { String(decoding: bytes, as: UTF8.self) }

  package static func == (a: StringRef, b: StringRef) -> Bool {
    guard a.count == b.count else { return false }
    guard a.count > 0, let left = a.start, let right = b.start else { return true }
    return memcmp(left, right, a.count) == 0
  }

  package static func < (a: StringRef, b: StringRef) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
  }
}

extension StringRef: Comparable {}
